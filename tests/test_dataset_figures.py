import subprocess
import sys

import matplotlib.colors
import matplotlib.image
import numpy as np
import pytest
from command_lines import run_fftmech

from fftmech.datasets.composites import CompositesRecipe
from fftmech.datasets.draft import new_card
from fftmech.datasets.figures import contact_sheet, statistics_figure
from fftmech.datasets.loading import Loading
from fftmech.datasets.make import make
from fftmech.datasets.polycrystal import PolycrystalRecipe, size_target
from fftmech.datasets.pores import PoresRecipe
from fftmech.errors import InputError
from fftmech.figures.colors import ROBUST
from fftmech.io import Dataset
from fftmech.tensors.fields import von_mises


def make_dataset(folder, recipe, count, levels, **options):
    card = new_card(recipe, count, levels, parts=(1, 1, 1), **options)
    outcome = make(folder, card, jobs=1)
    assert outcome.done == count
    return folder


@pytest.fixture(scope="module")
def pores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pores")
    return Dataset(make_dataset(folder, PoresRecipe((0.01, 0.02)), 6, (24, 12)))


@pytest.fixture(scope="module")
def grains(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grains")
    return Dataset(make_dataset(folder, PolycrystalRecipe(), 9, (16, 8)))


def slices(figure):
    """Pairs of images of each sample: the body, the field."""
    images = [ax.images[0] for ax in figure.axes if ax.images]
    return list(zip(images[::2], images[1::2], strict=True))


def titles(figure):
    found = [ax.get_title(loc="left") for ax in figure.axes if ax.images]
    return [title for title in found if title]


def panel(figure, name):
    (ax,) = (ax for ax in figure.axes if ax.get_xlabel().startswith(name))
    return ax


def colours(ax):
    """Colours of the filled histograms of a panel."""
    return {
        matplotlib.colors.to_hex(patch.get_facecolor())
        for patch in ax.patches
        if patch.get_fill()
    }


# the contact sheet


def test_a_contact_sheet_shows_body_and_stress_of_one_plane(pores):
    pairs = slices(contact_sheet(pores))
    assert len(pairs) == 6
    for sample, (body, field) in zip(pores, pairs, strict=True):
        stress = von_mises(sample.low.stress[0])
        drawn = field.get_array()
        pore = sample.low.body.phase == 1
        # z tension: across y, x to the right, z up
        planes = [k for k in range(12) if np.array_equal(drawn.mask, pore[:, k].T)]
        assert any(
            np.array_equal(drawn[~drawn.mask], stress[:, k].T[~pore[:, k].T])
            for k in planes
        )
        assert field.origin == body.origin == "lower"
        white = (body.get_array() == 1).all(axis=-1)
        high = (sample.high.body.phase == 1).swapaxes(0, 2)
        place = [k for k in range(24) if np.array_equal(white, high[:, k])]
        assert {k // 2 for k in place} & set(planes)


def test_a_contact_sheet_cuts_where_most_of_the_pore_is(pores):
    for sample, (_, field) in zip(pores, slices(contact_sheet(pores)), strict=True):
        most = (sample.low.body.phase == 1).sum(axis=(0, 2)).max()
        assert field.get_array().mask.sum() >= 0.7 * most > 0


@pytest.mark.slow
def test_all_samples_of_a_contact_sheet_have_one_robust_colour_scale(pores):
    figure = contact_sheet(pores)
    values = np.concatenate(
        [von_mises(s.low.stress[0])[s.low.body.phase == 0] for s in pores]
    )
    expected = np.percentile(values, ROBUST)
    for _, field in slices(figure):
        assert np.allclose(field.get_clim(), expected)
    bar = next(ax for ax in figure.axes if ax.get_ylabel())
    assert bar.get_ylabel() == "von Mises stress (GPa)"


def test_of_six_loads_the_first_is_drawn_and_named(tmp_path):
    load = Loading("six")
    folder = make_dataset(tmp_path / "six", PolycrystalRecipe(), 1, (8,), loading=load)
    data = Dataset(folder)
    figure = contact_sheet(data)
    assert "load xx" in figure.texts[0].get_text()
    ((_, field),) = slices(figure)
    expected = von_mises(data[0].low.stress[0])[:, :, 4].T
    assert np.array_equal(field.get_array(), expected)


@pytest.mark.slow
def test_stresses_that_are_far_apart_have_logarithmic_colours(tmp_path, grains):
    recipe = CompositesRecipe(("spheres",), (0.2, 0.2), contrast=(900, 1000))
    data = Dataset(make_dataset(tmp_path / "stiff", recipe, 1, (32, 16)))
    (_, stiff), (_, steel) = (slices(contact_sheet(d))[0] for d in (data, grains))
    assert type(stiff.norm) is matplotlib.colors.LogNorm
    assert type(steel.norm) is matplotlib.colors.Normalize


def test_samples_are_evenly_spaced_and_named(grains, pores):
    found = titles(contact_sheet(grains, count=3))
    assert [text.split(", ")[0] for text in found] == ["0", "4", "8"]
    for text, record in zip(titles(contact_sheet(pores)), pores.records, strict=True):
        kind = record["statistics"]["class"]
        assert text == f"{record['index']}, {record['split']}, {kind}"


def test_a_contact_sheet_refuses_what_it_cannot_draw(pores, tmp_path):
    with pytest.raises(InputError, match="at least 1"):
        contact_sheet(pores, count=0)
    folder = make_dataset(tmp_path / "one", PoresRecipe((0.01, 0.02)), 1, (24, 12))
    for draw in (contact_sheet, statistics_figure):
        with pytest.raises(InputError, match="of split test"):
            draw(Dataset(folder, "test"))


# statistics


def test_statistics_count_the_samples_of_each_split(pores):
    ax = panel(statistics_figure(pores), "split")
    assert [bar.get_height() for bar in ax.patches] == [2, 2, 2]


def test_statistics_show_failures(pores, monkeypatch):
    monkeypatch.setattr(pores, "failed", [{"split": "val", "reason": "none"}])
    ax = panel(statistics_figure(pores), "split")
    assert [bar.get_height() for bar in ax.patches] == [2, 2, 2, 0, 1, 0]


def test_statistics_are_sorted_by_class(pores):
    figure = statistics_figure(pores)
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == [
        "gas (2)",
        "keyhole (2)",
        "lack-of-fusion (2)",
    ]
    for name in ("fraction", "sphericity", "aspect ratio", "flatness"):
        ax = panel(figure, name)
        assert ax.get_ylabel() == "samples"
        assert len(colours(ax)) == 3


def test_a_histogram_has_as_many_samples_as_there_are(pores):
    ax = panel(statistics_figure(pores), "iterations")
    found = [r["iterations"] for r in pores.records]
    edges = ax.patches[0].get_xy()
    step = np.diff(np.unique(edges[:, 0]))
    # area under the outline, from both sides of it
    area = abs(np.trapezoid(edges[:, 1], edges[:, 0]))
    assert area == pytest.approx(len(found) * step[0])


def test_residuals_are_shown_over_the_tolerance(pores):
    ax = panel(statistics_figure(pores), "residual")
    low, high = ax.dataLim.intervalx
    assert 0.1 < low < high <= 1


def test_what_spreads_over_decades_has_a_logarithmic_axis(pores, monkeypatch):
    records = [
        {**r, "statistics": {"contrast": 2.0 * 4**i, "cut": True, "none": None, "E": 3}}
        for i, r in enumerate(pores.records)
    ]
    monkeypatch.setattr(pores, "records", records)
    figure = statistics_figure(pores)
    assert panel(figure, "contrast").get_xscale() == "log"
    assert panel(figure, "E").get_xscale() == "linear"
    labels = {ax.get_xlabel() for ax in figure.axes}
    assert not labels & {"cut", "none"}


def test_grain_sizes_are_measured_on_the_voxels(grains):
    ax = panel(statistics_figure(grains), "ln(equivalent diameter")
    volumes = np.concatenate([s.high.body.fractions for s in grains])
    sizes = np.log(6 * volumes[volumes > 0] / np.pi) / 3
    text = ax.get_legend().get_texts()[0].get_text()
    assert f"{sizes.mean():.3f}" in text and f"{sizes.std():.3f}" in text
    area = sum(bar.get_width() * bar.get_height() for bar in ax.patches)
    assert area == pytest.approx(1)


def test_the_law_of_grain_sizes_is_that_of_each_number_of_grains(grains):
    ax = panel(statistics_figure(grains), "ln(equivalent diameter")
    (curve,) = (line for line in ax.lines if line.get_label() == "as drawn")
    x, density = curve.get_data()
    numbers = [r["statistics"]["grains"] for r in grains.records]
    mean = np.average([size_target(n, 0.0998)[0] for n in numbers], weights=numbers)
    assert np.trapezoid(density, x) == pytest.approx(1, abs=0.02)
    assert np.trapezoid(density * x, x) == pytest.approx(mean, abs=0.02)


def test_grains_without_a_law_of_sizes_are_drawn_without_one(tmp_path):
    recipe = PolycrystalRecipe(grains=(4, 4), sizes=None)
    data = Dataset(make_dataset(tmp_path / "voronoi", recipe, 1, (8,)))
    ax = panel(statistics_figure(data), "ln(equivalent diameter")
    assert "as drawn" not in [line.get_label() for line in ax.lines]


# the command


@pytest.mark.parametrize("options", [(), ("--statistics",)])
def test_dataset_plot_writes_a_picture(pores, tmp_path, options):
    output = tmp_path / "sheet.png"
    arguments = ["dataset", "plot", str(pores.directory), "-o", str(output), *options]
    run_fftmech(*arguments, "--dpi", "50")
    assert np.ptp(matplotlib.image.imread(output)) > 0.5


def test_pictures_of_datasets_import_without_matplotlib():
    code = "import sys, fftmech.datasets.figures; print('matplotlib' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code]).strip() == b"False"
