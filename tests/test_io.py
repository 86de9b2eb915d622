"""Files of the one format, and bare arrays: what is written is read back."""

import gzip
import json
import os
import stat
from dataclasses import replace

import h5py
import numpy as np
import pytest
from written_files import MARK, NX, NY, NZ, bare_hdf5, body, marked, result

from fftmech import Grid, InputError, io
from fftmech.io.atomic import whole_file
from fftmech.results.result import FiniteFields
from fftmech.tensors import components_from_mandel, matrix_from_mandel

bare = pytest.fixture(bare_hdf5)

# VTKHDF


def test_microstructure_round_trip_is_exact(tmp_path, rng):
    q = rng.normal(size=(2, 4))
    micro = body(
        orientation=q / np.linalg.norm(q, axis=1)[:, None],
        eigenstrain=rng.normal(size=(2, 6)),
        thermal_expansion=rng.normal(size=(2, 6)),
    )
    io.write(tmp_path / "m.h5", micro)
    back = io.read(tmp_path / "m.h5")
    assert io.kind(tmp_path / "m.h5") == "microstructure"
    assert back.grid == micro.grid and back.units == micro.units
    assert back.phase.tobytes() == micro.phase.tobytes()
    assert back.orientation.tobytes() == micro.orientation.tobytes()
    for name in ("stiffness", "eigenstrain", "thermal_expansion"):
        np.testing.assert_allclose(getattr(back, name), getattr(micro, name), 1e-15)


def test_unknown_rows_stay_unknown(tmp_path):
    micro = body(orientation=np.array([[1, 0, 0, 0], [np.nan] * 4]))
    io.write(tmp_path / "m.h5", micro)
    assert np.isnan(io.read(tmp_path / "m.h5").orientation[1]).all()


def test_phase_is_stored_zyx_and_stiffness_as_voigt(tmp_path):
    io.write(tmp_path / "m.h5", body(phase=marked(), stiffness=[np.eye(6)] * 200))
    with h5py.File(tmp_path / "m.h5") as file:
        assert file["VTKHDF/CellData/phase"].shape == (NZ, NY, NX)
        assert file["VTKHDF/CellData/phase"][3, 2, 1] == 123
        assert file["VTKHDF"].attrs["WholeExtent"].tolist() == [0, NX, 0, NY, 0, NZ]
        # Mandel 1 on a shear is Voigt 1/2
        shown = np.diag(file["fftmech/stiffness"][0]).tolist()
        assert shown == pytest.approx([1, 1, 1, 0.5, 0.5, 0.5])
        assert "Voigt" in file["fftmech/stiffness"].attrs["convention"]
        assert json.loads(file["fftmech"].attrs["units"])["stress"] == "GPa"
        assert file["fftmech"].attrs["axes"] == "zyx"


@pytest.mark.parametrize("name", ["rotated", "hex8", "forward", "central", "fourier"])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_result_round_trip(tmp_path, rng, name, kind):
    solved = result(rng, name, kind=kind)
    io.write_result(tmp_path / "r.vtkhdf", solved)
    back = io.read_result(tmp_path / "r.vtkhdf")
    assert io.kind(tmp_path / "r.vtkhdf") == "result"
    eps = np.finfo(kind).eps
    for field in ("displacement", "strain", "stress"):
        one, other = getattr(solved, field), getattr(back, field)
        assert other.dtype == kind
        np.testing.assert_allclose(other, one, rtol=0, atol=10 * eps)
    np.testing.assert_allclose(back.mean_strain, solved.mean_strain, rtol=1e-15)
    np.testing.assert_allclose(back.mean_stress, solved.mean_stress, rtol=1e-15)
    assert back.load == solved.load and back.residuals == solved.residuals
    assert (back.status, back.advice) == ("max_iterations", "raise --max-iterations")
    assert back.certificate == {"gap": 1e-9, "relative": None}
    assert (back.scheme, back.temperature, back.times) == (name, 3.0, solved.times)
    assert (back.microstructure.phase == solved.microstructure.phase).all()


def test_a_diverged_result_is_json_for_every_reader(tmp_path, rng):
    stress = np.array([np.nan, -np.inf, 1, 2, 3, 4])
    diverged = replace(
        result(rng),
        status="diverged",
        energy=np.float64("nan"),
        residuals=[1.0, 1e300, np.inf, np.nan],
        mean_stress=stress,
        certificate={"gap": -np.inf, "reason": None},
    )

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    def same(path):
        read = io.read_result(path)
        np.testing.assert_array_equal(read.residuals, diverged.residuals)
        np.testing.assert_allclose(read.mean_stress, stress)
        assert np.isnan(read.energy)
        assert read.certificate == diverged.certificate

    io.write_result(tmp_path / "r.h5", diverged)
    same(tmp_path / "r.h5")
    with h5py.File(tmp_path / "r.h5", "r+") as file:
        text = file["fftmech/run"].asstr()[()]
        run = json.loads(text, parse_constant=refuse)
        assert run["residuals"] == [1.0, 1e300, "Infinity", "NaN"]
        # older files have the numbers as Python writes them
        del file["fftmech/run"]
        for name in ("NaN", "-Infinity", "Infinity"):
            text = text.replace(f'"{name}"', name)
        file["fftmech/run"] = text
    same(tmp_path / "r.h5")


def test_the_microstructure_of_a_result_is_read(tmp_path, rng):
    io.write_result(tmp_path / "r.h5", result(rng))
    assert io.read(tmp_path / "r.h5").phase[MARK] == 1


def test_pyvista_sees_each_value_where_it_belongs(tmp_path, rng):
    pyvista = pytest.importorskip("pyvista")
    solved = result(rng)
    io.write_result(tmp_path / "r.vtkhdf", solved)
    mesh = pyvista.read(tmp_path / "r.vtkhdf")
    assert np.allclose(mesh.bounds, (1, 2, 2, 2.75, 3, 3.8))
    x, y, z = MARK
    cell = mesh.find_containing_cell((1 + 0.75, 2 + 0.125, 3 + 0.5))
    assert np.flatnonzero(mesh["phase"]).tolist() == [cell]
    # VTK's order of symmetric tensors is xx yy zz xy yz xz
    for field in ("strain", "stress"):
        tensor = matrix_from_mandel(getattr(solved, field)[:, x, y, z])
        order = [(0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (0, 2)]
        expected = [tensor[i] for i in order]
        np.testing.assert_allclose(mesh.cell_data[field][cell], expected, rtol=1e-14)


def test_pyvista_sees_the_total_displacement_at_the_corners(tmp_path, rng):
    pyvista = pytest.importorskip("pyvista")
    solved = result(rng)
    io.write_result(tmp_path / "r.vtkhdf", solved)
    mesh = pyvista.read(tmp_path / "r.vtkhdf")
    E = matrix_from_mandel(solved.mean_strain)
    point = mesh.find_closest_point((1 + 0.5, 2 + 0, 3 + 0.4))
    total = E @ [0.5, 0, 0.4] + solved.displacement[:, 1, 0, 2]
    np.testing.assert_allclose(mesh.point_data["displacement"][point], total, 1e-13)
    # the far faces repeat the near ones, moved by E times the period
    u = mesh.point_data["displacement"].reshape(NZ + 1, NY + 1, NX + 1, 3)
    np.testing.assert_allclose(u[:, :, -1] - u[:, :, 0], np.ones((5, 4, 1)) * E[:, 0])
    np.testing.assert_allclose(
        u[-1] - u[0], np.ones((4, 3, 1)) * E[:, 2] * 0.8, rtol=1e-12
    )


@pytest.mark.parametrize("scheme", ["rotated", "fourier"])
def test_total_displacement_is_what_files_call_displacement(tmp_path, rng, scheme):
    gentle = result(rng, scheme)
    F = np.eye(3) + 0.1 * rng.random((3, 3))
    finite = FiniteFields(*rng.random((2, 3, 3, NX, NY, NZ)), F, F)
    for solved in (gentle, replace(gentle, finite=finite)):
        io.write_result(tmp_path / "r.vtkhdf", solved)
        place = "CellData" if scheme == "fourier" else "PointData"
        with h5py.File(tmp_path / "r.vtkhdf") as file:
            u = file[f"VTKHDF/{place}/displacement"][:NZ, :NY, :NX].T
        total = solved.total_displacement
        np.testing.assert_allclose(total, u, rtol=1e-14)
        assert abs(total - solved.displacement).max() > 1e-3
        again = io.read_result(tmp_path / "r.vtkhdf")
        np.testing.assert_allclose(again.total_displacement, u, rtol=1e-14)


def test_displacement_of_a_centred_scheme_is_cell_data(tmp_path, rng):
    pyvista = pytest.importorskip("pyvista")
    solved = result(rng, "fourier")
    io.write_result(tmp_path / "r.vtkhdf", solved)
    mesh = pyvista.read(tmp_path / "r.vtkhdf")
    center = np.array([0.75, 0.125, 0.5])
    cell = mesh.find_containing_cell(center + [1, 2, 3])
    total = matrix_from_mandel(solved.mean_strain) @ center
    total += solved.displacement[(slice(None), *MARK)]
    np.testing.assert_allclose(mesh.cell_data["displacement"][cell], total, 1e-13)


def test_vtkhdf_of_another_program_is_read(tmp_path):
    with h5py.File(tmp_path / "p.vtkhdf", "w") as file:
        root = file.create_group("VTKHDF")
        root.attrs["Version"] = [2, 2]
        root.attrs["Type"] = np.bytes_("ImageData")
        root.attrs["WholeExtent"] = [5, 5 + NX, 0, NY, 0, NZ]
        root.attrs["Spacing"] = [0.5, 1, 2]
        root.attrs["Origin"] = [1, 2, 3]
        root["CellData/grain"] = marked().T
    micro = io.read(tmp_path / "p.vtkhdf", dataset="grain")
    assert (micro.phase == marked()).all()
    assert micro.grid == Grid((NX, NY, NZ), (0.5, 1, 2), (3.5, 2, 3))
    assert io.kind(tmp_path / "p.vtkhdf") == "microstructure"


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_write_that_is_cut_short_leaves_nothing_new(tmp_path, monkeypatch, failure):
    io.write(tmp_path / "old.h5", body())
    before = (tmp_path / "old.h5").read_bytes()

    def stop(*_args, **_kwargs):
        raise failure

    monkeypatch.setattr(h5py.Group, "create_dataset", stop)
    for name in ("old.h5", "new.h5"):
        with pytest.raises(failure):
            io.write(tmp_path / name, body())
    assert [p.name for p in tmp_path.iterdir()] == ["old.h5"]
    assert (tmp_path / "old.h5").read_bytes() == before


def test_files_have_the_mode_of_the_umask_which_is_not_touched(tmp_path, monkeypatch):
    before = os.umask(0o027)
    try:
        with monkeypatch.context() as patch:
            # of the whole process: files of other threads would have its mode too
            patch.delattr(os, "umask")
            io.write(tmp_path / "m.h5", body())
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "m.h5").stat().st_mode) == 0o640


def test_whole_file_removes_its_temporary_file(tmp_path):
    with pytest.raises(ZeroDivisionError), whole_file(tmp_path / "a.h5") as name:
        name.write_text("half")
        assert name.parent == tmp_path
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["m.vti", "m", "m.h5.txt"])
def test_other_extensions_are_not_written(tmp_path, name, rng):
    with pytest.raises(InputError, match="end the name in .h5"):
        io.write(tmp_path / name, body())
    with pytest.raises(InputError, match="end the name in .h5"):
        io.write_result(tmp_path / name, result(rng))


# arrays


@pytest.mark.parametrize("axes", ["xyz", "zyx"])
def test_axes_of_bare_hdf5(bare, axes):
    values = marked() if axes == "xyz" else marked().T
    path = bare(phase=(values, {"axes": axes}), stiffness=np.zeros((200, 6, 6)))
    assert (io.read(path).phase == marked()).all()


def test_tables_of_bare_hdf5_are_voigt_and_tensor_components(bare):
    voigt = np.diag([4.0, 4, 4, 1, 1, 1])[None]
    path = bare(
        phase=(np.zeros((1, 2, 3), int), {"axes": "xyz", "spacing": [1.0, 2, 3]}),
        stiffness=voigt,
        orientation=[[1.0, 0, 0, 0]],
        eigenstrain=[[1.0, 2, 3, 4, 5, 6]],
    )
    with h5py.File(path, "a") as file:
        file.attrs["units"] = "GPa"
    micro = io.read(path)
    assert np.diag(micro.stiffness[0]).tolist() == pytest.approx([4, 4, 4, 2, 2, 2])
    shown = components_from_mandel(micro.eigenstrain)
    assert shown[0].tolist() == pytest.approx([1, 2, 3, 4, 5, 6])
    assert micro.grid.h == (1, 2, 3) and micro.units == {"stress": "GPa"}


@pytest.mark.parametrize("order", [None, "zyx", "xyz"])
def test_axes_of_fans(bare, order):
    values = marked() if order == "xyz" else marked().T
    attributes = {"L": [2.0, 3.0, 8.0]} | ({"permute_order": order} if order else {})
    path = bare(**{"ms/32/image": (values.astype(np.uint16), attributes)})
    for options in ({}, {"dataset": "/ms/32/image"}):
        micro = io.read(path, **options)
        assert (micro.phase == marked()).all()
        assert micro.grid.h == (1, 1, 2)


def test_one_dataset_of_several_is_named(bare):
    path = bare(a=marked(), b=marked() + 1, grey=marked() / 7)
    with pytest.raises(
        InputError, match=r"2 3-D integer datasets \(/a .*, /b .*--data"
    ):
        io.read(path)
    assert io.read(path, dataset="b", axes="xyz").phase[0, 0, 0] == 1
    binary = io.read(path, dataset="grey", axes="xyz", threshold=100 / 7)
    assert (binary.phase == (marked() / 7 > 100 / 7)).all()


@pytest.mark.parametrize("axes", ["xyz", "zyx"])
def test_axes_of_npy_and_raw(tmp_path, axes):
    values = (marked() if axes == "xyz" else marked().T).astype(np.uint8)
    np.save(tmp_path / "a.npy", values)
    values.tofile(tmp_path / "a.raw")
    (tmp_path / "a.raw.gz").write_bytes(gzip.compress(values.tobytes()))
    shape = {"shape": (NX, NY, NZ), "dtype": "uint8"}
    for name, options in (("a.npy", {}), ("a.raw", shape), ("a.raw.gz", shape)):
        micro = io.read(tmp_path / name, axes=axes, spacing=(1, 2, 3), **options)
        assert (micro.phase == marked()).all() and micro.grid.h == (1, 2, 3)


def test_npy_is_xyz_and_raw_runs_along_x_unless_said(tmp_path):
    np.save(tmp_path / "a.npy", marked())
    marked().T.astype(">u2").tofile(tmp_path / "a.raw")
    assert (io.read(tmp_path / "a.npy").phase == marked()).all()
    micro = io.read(tmp_path / "a.raw", shape=(NX, NY, NZ), dtype=">u2")
    assert (micro.phase == marked()).all()


def test_pages_of_a_tif_are_z_and_its_rows_are_y(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(
        tmp_path / "a.tif", marked().T.astype(np.uint8), photometric="minisblack"
    )
    assert (io.read(tmp_path / "a.tif").phase == marked()).all()


def test_threshold_puts_what_is_above_it_in_phase_1(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[[0.0, 0.4, 0.5, 0.6]]]))
    assert io.read(tmp_path / "a.npy", threshold=0.5).phase.ravel().tolist() == [
        0,
        0,
        0,
        1,
    ]
