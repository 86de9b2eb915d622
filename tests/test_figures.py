import json
import subprocess
import sys
from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest
from command_lines import run_fftmech as run

from fftmech import io
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.figures import save_figure, slices_figure, spectrum_figure
from fftmech.figures.colors import ROBUST, color_range, phase_colors
from fftmech.figures.matplotlib_figure import readable_unit
from fftmech.figures.planes import middle_slices, parse_slice
from fftmech.loads.load import Load
from fftmech.materials.elastic import PORE, isotropic
from fftmech.microstructure.base import Microstructure
from fftmech.results.result import Result
from fftmech.results.scalar_fields import FIELDS, scalar_fields
from fftmech.results.spectrum import power_spectrum
from fftmech.tensors import components_from_mandel
from fftmech.tensors.fields import energy_density, von_mises

GRID = Grid((6, 5, 4), (0.5, 1.0, 2.0), (10.0, 20.0, 30.0))


@pytest.fixture
def result():
    rng = np.random.default_rng(0)
    phase = np.zeros(GRID.shape, int)
    phase[1:3, 1:3, 1:3] = 2
    C = np.stack([isotropic(K=100, G=40), np.full((6, 6), np.nan), PORE])
    strain = 1e-3 * rng.normal(size=(6, *GRID.shape))
    stress = np.where(phase == 2, 0, 0.2 * rng.normal(size=(6, *GRID.shape)))
    stress[0] += np.where(phase == 2, 0, 5.0)
    return Result(
        microstructure=Microstructure(
            GRID, phase, C, units={"stress": "GPa", "length": "um"}
        ),
        load=Load({"xx": 1e-3}),
        scheme="rotated",
        solver="cg",
        tolerance=1e-6,
        displacement=rng.normal(size=(3, *GRID.shape)),
        strain=strain,
        stress=stress,
        energy_density=energy_density(strain, stress),
        mean_strain=strain.mean(axis=(1, 2, 3)),
        mean_stress=stress.mean(axis=(1, 2, 3)),
        energy=float(energy_density(strain, stress).mean()),
        status="converged",
        advice="",
        iterations=1,
        residuals=[1.0, 1e-7],
    )


def slice_figure(source, field, component=None, where="z=mid"):
    return slices_figure(source, field, (component,) if component else (), (where,))


def panels(figure):
    return [ax for ax in figure.axes if ax.images]


# planes


@pytest.mark.parametrize(
    ("text", "plane"),
    [
        ("z=mid", (2, 2)),
        ("y=mid", (1, 2)),
        ("x=0", (0, 0)),
        ("z=3", (2, 3)),
        ("x=50%", (0, 3)),
        ("y = 0%", (1, 0)),
        ("y=100%", (1, 4)),
        ("x=16.7%", (0, 1)),
    ],
)
def test_a_plane_is_the_middle_a_voxel_or_a_percentage(text, plane):
    assert parse_slice(text, GRID) == plane


@pytest.mark.parametrize(
    "text",
    ["z", "w=1", "z=", "z=half", "z=4", "z=-1", "z=1.5", "z=101%", "z=nan%", "z=inf%"],
)
def test_a_plane_that_is_none_is_refused_in_one_line(text):
    with pytest.raises(InputError, match="slice") as error:
        parse_slice(text, GRID)
    assert "\n" not in str(error.value)


def test_middle_slices_leave_out_lines():
    assert middle_slices(GRID) == ("x=mid", "y=mid", "z=mid")
    assert middle_slices(Grid((8, 8, 1))) == ("z=mid",)
    assert middle_slices(Grid((8, 1, 1))) == ("z=mid",)


# what is drawn


@pytest.mark.parametrize(
    ("plane", "take", "extent"),
    [
        ("z=1", (slice(None), slice(None), 1), (10, 13, 20, 25)),
        ("y=4", (slice(None), 4, slice(None)), (10, 13, 30, 38)),
        ("x=0", (0, slice(None), slice(None)), (20, 25, 30, 38)),
    ],
)
def test_a_slice_shows_each_voxel_at_its_place_first_axis_to_the_right(
    result, plane, take, extent
):
    (ax,) = panels(slice_figure(result, "stress", "xx", plane))
    (image,) = ax.images
    assert tuple(image.get_extent()) == extent
    assert image.origin == "lower" and image.get_interpolation() == "nearest"
    drawn = image.get_array()
    solid = (result.microstructure.phase != 2)[take].T
    assert np.array_equal(drawn.mask, ~solid)
    assert np.array_equal(drawn[solid], result.stress[0][take].T[solid])


def test_shear_is_drawn_and_labelled_as_a_tensor_component(result):
    figure = slice_figure(result, "stress", "xy", "z=0")
    (ax,) = panels(figure)
    shown = components_from_mandel(result.stress, axis=0)[5, :, :, 0].T
    assert np.allclose(ax.images[0].get_array(), shown)
    bar = ax.images[0].colorbar
    assert bar.ax.get_ylabel() == r"$\sigma_{xy}$ (GPa)"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x (um)", "y (um)")
    # voxel 0 is centred half a spacing above the corner at 30
    assert ax.get_title() == r"$\sigma_{xy}$, z = 31 um (voxel 0)"


def test_a_slice_has_the_proportions_of_the_box(result):
    figure = slice_figure(result, "von_mises", where="x=mid")
    (ax,) = panels(figure)
    box, (width, height) = ax.get_position(), figure.get_size_inches()
    assert box.width * width / (box.height * height) == pytest.approx(5 / 8)


def test_the_picture_itself_has_the_colours_of_the_voxels(result, tmp_path):
    figure = slice_figure(result, "stress", "xx", "z=1")
    save_figure(figure, tmp_path / "a.png", dpi=100)
    pixels = matplotlib.image.imread(tmp_path / "a.png")
    (ax,) = panels(figure)
    image = ax.images[0]
    for i, j in ((0, 0), (5, 4), (2, 3), (1, 1)):
        x, y = ax.transData.transform((10 + 0.5 * (i + 0.5), 20 + j + 0.5))
        drawn = pixels[pixels.shape[0] - 1 - int(y), int(x), :3]
        pore = result.microstructure.phase[i, j, 1] == 2
        value = result.stress[0, i, j, 1]
        expected = (0.8,) * 3 if pore else image.cmap(image.norm(value))[:3]
        assert drawn == pytest.approx(expected, abs=0.01)


def test_every_component_and_plane_has_a_panel_and_a_component_one_scale(result):
    figure = slices_figure(result, "stress", ("xx", "xy"), ("x=mid", "z=0", "z=1"))
    drawn = panels(figure)
    assert len(drawn) == 6
    limits = [ax.images[0].get_clim() for ax in drawn]
    assert limits[0] == limits[1] == limits[2] != limits[3] == limits[4] == limits[5]
    for field, components in FIELDS.items():
        assert len(panels(slices_figure(result, field))) == max(1, len(components))


def test_a_field_of_both_signs_is_centred_on_zero_and_one_of_one_sign_is_not(result):
    xx, yy = scalar_fields(result, "stress", ("xx", "yy"))
    low, high, centred = color_range(xx)
    assert not centred
    solid = result.microstructure.phase != 2
    assert (low, high) == pytest.approx(np.percentile(xx.values[solid], ROBUST))
    low, high, centred = color_range(yy)
    assert centred and low == -high


def test_rounding_gets_no_colours(result):
    noise = 1e-9 * np.random.default_rng(1).normal(size=GRID.shape)
    stress = np.array(result.stress)
    stress[3] = noise
    (yz,) = scalar_fields(replace(result, stress=stress), "stress", ("yz",))
    low, high, _ = color_range(yz)
    assert high - low > 1e6 * np.ptp(noise)


def test_scalars_are_those_of_the_metrics_and_of_the_result(result):
    (drawn,) = scalar_fields(result, "von_mises")
    assert np.array_equal(drawn.values, von_mises(result.stress))
    assert drawn.label == "von Mises stress (GPa)"
    (energy,) = scalar_fields(result, "energy_density")
    assert np.array_equal(energy.values, result.energy_density)


def test_phases_have_distinct_colours_and_pores_are_white(result):
    assert phase_colors(result.microstructure)[1] == (1, 1, 1)
    phase = np.arange(120).reshape(GRID.shape)
    many = phase_colors(Microstructure(GRID, phase))
    assert len(set(many)) == 120 and (1.0, 1.0, 1.0) not in many

    (ax,) = panels(slice_figure(result, "phase", where="z=1"))
    image = ax.images[0]
    shown = image.cmap(image.norm(image.get_array()))[..., :3]
    pore = result.microstructure.phase[:, :, 1].T == 2
    assert (shown[pore] == 1).all() and not (shown[~pore] == 1).all(axis=-1).any()
    ticks = [t.get_text() for t in image.colorbar.ax.get_yticklabels()]
    assert ticks == ["0", "2 (pore)"]


def test_the_spectrum_is_that_of_the_solid_with_its_units(result):
    (ax,) = spectrum_figure(result, "stress", ("xx",)).axes
    curve = ax.lines[0]
    field = np.where(result.microstructure.phase == 2, 0, result.stress[0])
    expected = power_spectrum(field, GRID)
    assert np.array_equal(curve.get_xdata(), expected.wavenumber)
    assert np.allclose(curve.get_ydata(), expected.power)
    assert ax.get_xlabel() == "wavenumber (cycles/um)" and "GPa" in ax.get_ylabel()
    # Nyquist of the coarsest axis, z with spacing 2
    assert ax.lines[1].get_xdata()[0] == pytest.approx(0.25)


def test_a_field_without_variation_is_drawn(result, tmp_path):
    flat = replace(result, stress=np.zeros_like(result.stress))
    for figure in (slices_figure(flat, "stress"), spectrum_figure(flat, "stress")):
        save_figure(figure, tmp_path / "flat.png")
        assert np.ptp(matplotlib.image.imread(tmp_path / "flat.png")) > 0.5


def test_the_library_imports_without_matplotlib():
    code = "import sys, fftmech.figures; print('matplotlib' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code]).strip() == b"False"


def test_pictures_without_matplotlib_say_how_to_get_it(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib.ticker", None)
    with pytest.raises(InputError, match=r"fftmech\[viz\]"):
        slice_figure(result, "phase")


# the commands


@pytest.fixture
def file(result, tmp_path):
    io.write_result(tmp_path / "result.vtkhdf", result)
    return tmp_path / "result.vtkhdf"


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--field", "stress", "--component", "xx", "--slice", "z=mid"),
        ("--field", "strain", "--grid"),
        ("--field", "stress", "--spectrum"),
        ("--field", "phase", "--slice", "x=0", "--slice", "y=25%"),
    ],
)
def test_plot_draws_slices_grids_and_spectra(file, tmp_path, options):
    output = tmp_path / "fig.png"
    run("plot", file, *options, "-o", output, "--dpi", 50)
    assert np.ptp(matplotlib.image.imread(output)) > 0.5


@pytest.mark.parametrize(
    ("extension", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")]
)
def test_plot_writes_the_format_of_the_extension(file, tmp_path, extension, start):
    output = tmp_path / f"fig.{extension}"
    run("plot", file, "-o", output)
    assert output.read_bytes().startswith(start)


def test_plot_draws_the_phases_of_a_microstructure(result, tmp_path):
    io.write(tmp_path / "micro.h5", result.microstructure)
    output = tmp_path / "fig.png"
    run("plot", tmp_path / "micro.h5", "-o", output)
    assert output.stat().st_size > 1000


def test_plot_keeps_an_existing_picture_unless_forced(file, tmp_path):
    output = tmp_path / "fig.png"
    output.write_text("mine")
    outcome = run("plot", file, "-o", output, code=2)
    assert "--force" in outcome.stderr
    assert output.read_text() == "mine"
    run("plot", file, "-o", output, "--force")
    assert output.read_bytes().startswith(b"\x89PNG")


def test_compare_prints_json_with_the_documented_keys(file, result, tmp_path):
    other = tmp_path / "other.vtkhdf"
    io.write_result(other, replace(result, stress=1.1 * result.stress, scheme="hex8"))
    outcome = run("compare", other, file, "--json")
    found = json.loads(outcome.stdout)
    assert {"nrmse", "divergence", "spectra", "energy_tail", "notes"} <= set(found)
    assert found["nrmse"]["stress"]["xy"]["norm"] == pytest.approx(0.1)
    assert found["nrmse"]["strain"]["all"]["std"] == 0
    assert found["divergence"]["a"]["scheme"] == "hex8"
    assert found["schemes"] == {"a": "hex8", "b": "rotated"}


def test_compare_prints_tables_and_says_that_schemes_differ(file, result, tmp_path):
    other = tmp_path / "other.vtkhdf"
    io.write_result(other, replace(result, scheme="forward"))
    outcome = run("compare", other, file)
    assert "schemes differ (forward, rotated)" in outcome.output
    for title in ("nRMSE", "Equilibrium", "octave", "Energy density", "Mean fields"):
        assert title in outcome.stdout


@pytest.mark.parametrize(
    "size,unit,factor,written",
    [
        (0.025, "GPa", 1e3, "MPa"),
        (2e-6, "GPa", 1e6, "kPa"),
        (25.0, "GPa", 1.0, "GPa"),
        (3e-12, "Pa", 1e12, "$10^{-12}$ Pa"),
        (1e-4, "", 1e4, "$10^{-4}$"),
        (2e5, "um", 1e-5, "$10^{5}$ um"),
        (0.0, "GPa", 1.0, "GPa"),
    ],
)
def test_colour_bars_have_short_numbers(size, unit, factor, written):
    found = readable_unit(size, unit)
    assert found == (pytest.approx(factor), written)


def test_numbers_at_a_colour_bar_times_its_unit_are_the_values(result):
    small = replace(result, stress=0.004 * result.stress)
    figure = slices_figure(small, "stress", ("xx",))
    (bar,) = (child for ax in figure.axes[:1] for child in ax.child_axes)
    figure.canvas.draw()
    factor, unit = readable_unit(max(map(abs, bar.get_ylim())), "GPa")
    for place, text in zip(bar.get_yticks(), bar.get_yticklabels(), strict=True):
        assert float(text.get_text().replace("\N{MINUS SIGN}", "-")) == pytest.approx(
            factor * place, rel=1e-5, abs=1e-9
        )
    assert bar.get_ylabel().endswith("(MPa)") and unit == "MPa"
