"""Bad input on the command line: one line that says what to mend, nothing written."""

import importlib.util
import os
import re
import shlex
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import psutil
import pytest
from bad_files import IDS, VOIGT, bare, write_bad_files, write_bad_tif
from click.testing import CliRunner

from fftmech import io
from fftmech_cli.fftmech_main import main

CASES = r"""
the file
solve no.h5 -> no\.h5: no such file; check the name
solve folder -> folder is a folder: give the name of a file
solve empty.h5 -> empty\.h5 is empty \(0 bytes\); copy or write it again
solve cut.h5 -> cut\.h5: HDF5 file is cut short; copy or write it again
solve text.h5 -> text\.h5: not an HDF5 file; check the name and its extension
solve a.doc -> a\.doc: unknown extension: expected one of \.h5 .* \.raw
info damaged.h5 -> damaged\.h5: HDF5 file is damaged .*; copy or write it again
info noise.vti -> noise\.vti: not complete VTK XML
solve object.npy -> object\.npy: not .* array of numbers; write it again
solve head.npy -> head\.npy: not a complete \.npy array .*; write it again
convert cells.dream3d -o o.h5 -> without cells .*; save the cell data too
convert ids.dream3d -o o.h5 -> without FeatureIds .*; segment the grains
convert colour.tif -o o.h5 -> colour\.tif is a colour image .*; convert it to grey
convert cut.tif -o o.h5 -> cut\.tif: not a TIFF file .*; save it again
solve two.vti -> no cell data 'material'; it has grain, id; name one with
solve damaged.vti -> damaged\.vti: cell data material: data cut short or damaged
solve text.tesr -> text\.tesr: no .*: not a \.tesr file
info many.tesr -> 2000000000 cells, at most 16777216 .*; write it again

what is in it
solve bare.h5 --dataset no -> dataset no does not exist; the file has /phase \(4, 4
solve link.h5 -> dataset phase is a link to /a in no\.h5, which cannot be opened
solve null.h5 -> dataset phase is empty; the file has
solve object.h5 -> dataset /phase has type object: expected real numbers
solve string.h5 -> dataset /phase has type \|S3: expected real numbers
solve complex.h5 -> dataset /phase has type complex128: expected real numbers
solve line.h5 -> 1 axes .*: expected three, or two of a flat image
solve four.h5 -> 4 axes \(shape \(1, 4, 4, 4\)\): expected three
solve none.h5 -> shape \(0, 4, 4\): an axis has no voxels
solve alone.h5 -> no 3-D integer dataset .*; store the ids .* on three axes
solve order.h5 -> no attribute axes: set it .*"xyz" .*, or give --axes
solve negative.h5 -> phase id -1 is negative: expected ids from 0 upwards
solve half.h5 -> phase ids are not whole numbers; segment .* --threshold T
solve inf.h5 -> phase ids are not whole numbers; segment
solve wide.h5 -> phase 1099511627776 without stiffness; give it one with
solve nan.h5 -> /stiffness: entry \(0, 0, 0\) is nan: expected finite numbers
solve skew.h5 -> phase 1 is not symmetric: C12 and C21 differ by 0.5; give a symm
solve minus.h5 -> phase 0 is not positive definite .*; check the constants
solve small.h5 -> /stiffness has shape \(2, 3, 3\): expected \(P, 6, 6\), one row
solve rows.h5 -> phase 1 without stiffness; give it one with --materials
solve phase.h5 -> 2 phase.s. without stiffness; give them one with --materials
solve pores.h5 -> every voxel is a pore: .*; give a phase a stiffness
homogenize pores.h5 -> every voxel is a pore: .*; give a phase a stiffness

images without a head
solve a.raw -> no header: .* --shape 128,128,128 --dtype uint8
solve a.raw --dtype uint8 --shape 4,4,5 -> 64 bytes .* take 80: check --shape and
solve a.raw --dtype uint8 --shape 0,4,4 -> expected three numbers of voxels >= 1
solve a.raw --dtype voxel --shape 4,4,4 -> 'voxel': expected .*, one of uint8
solve a.raw --dtype uint8 --shape 4,4 -> --shape.* expected whole numbers NX,NY,NZ
info a.raw --dtype uint8 --shape 99999,99999,99999 -> holds 64 bytes and .* take
convert a.npy -o o.h5 --spacing 0,1,1 -> spacing .*: expected three positive lengths
convert a.npy -o o.h5 --threshold nan -> 'nan': expected a finite number
convert a.npy -o o.h5 --spacing a,b,c -> HX,HY,HZ
solve ok.h5 --axes xyz -> this format takes no --axes .*; leave it out

materials
solve phase.h5 --materials no.toml -> no\.toml: no such file; check --materials
convert ok.toml -o o.h5 -> give --materials ok\.toml
solve phase.h5 --materials folder -> folder: .*; check --materials
solve phase.h5 --materials broken.toml -> broken\.toml: not TOML: .*line 4, column 19
solve phase.h5 --materials ok.h5 -> ok\.h5: not TOML
solve phase.h5 --materials huge.toml -> E = inf: expected a finite number
solve phase.h5 --materials zero.toml -> phase 1 .* is not listed; add \[\[phase\]\]

resolution
solve ok.h5 --res 0 -> --res 0: expected one whole number of at least 1
solve ok.h5 --res -3 -> --res -3: expected one whole number of at least 1
solve ok.h5 --res abc -> --res 'abc': expected one whole number \(64\)
homogenize ok.h5 --res 2,2 -> --res '2,2': expected .* or three \(64,64,1\)
solve ok.h5 --res '' -> --res '': expected one whole number
solve ok.h5 --res 100000 -> 100000 voxels needs about .* GiB .* free; lower --res
solve ok.h5 --composite voigt -> --composite voigt without --res: add --res N
solve ok.h5 --composite mean --res 2 -> 'mean' is not one of 'voigt', 'reuss', 'lam
solve phase.h5 --composite voigt --res 2 -> without stiffness; .* with --materials

load
solve ok.h5 --strain ab=1 -> --strain ab=1: expected IJ=VALUE with IJ of xx, yy, zz
solve ok.h5 --strain xx -> '' is not a finite number; write for instance --strain xx
solve ok.h5 --strain xx=1,2 -> '1,2' is not a finite number; write for instance
solve ok.h5 --stress yy=nan -> 'nan' is not a finite number; write for .*yy=1e-3
solve ok.h5 --uniaxial zz=inf -> 'inf' is not a finite number; write for .*zz=1e-3
solve ok.h5 --strain xx=1 --stress xx=1 -> --strain xx and stress xx .* one of
solve ok.h5 --strain xx=1 --strain xx=2 -> --strain names xx twice: give it once
solve ok.h5 --uniaxial xx=1 --strain yy=1 -> --uniaxial xx=1 with .*; give it alone
solve ok.h5 --uniaxial xx=1 --uniaxial yy=1 -> with another .*; give it alone
solve pore.h5 STRESS -> stress xx .* along x, .*; prescribe --strain xx=... instead
solve ok.h5 --temperature 10 -> --temperature 10: no phase expands; add thermal
solve ok.h5 --temperature nan -> 'nan': expected a finite number

method
solve ok.h5 --scheme upwind -> 'upwind' is not one of 'rotated'
homogenize ok.h5 --solver lu -> 'lu' is not one of 'cg'
solve ok.h5 --device tpu -> 'tpu' is not one of 'cpu', 'cuda'
solve ok.h5 --device cuda -> pip install "fftmech\[gpu\]", or use --device cpu
solve ok.h5 --tol 0 -> --tol 0.0: expected a number in \(0, 1\)
homogenize ok.h5 --tol 2 -> --tol 2.0: expected a number in \(0, 1\)
solve ok.h5 --tol nan -> --tol nan: expected a number in \(0, 1\)
solve ok.h5 --tol-energy 3 -> --tol-energy 3.0: expected a number in \(0, 1\)
solve ok.h5 --tol .1 --tol-energy .1 -> --tol and --tol-energy: expected one of them
solve pore.h5 --tol-energy .1 -> --tol-energy: the body has pores, .*; use --tol
solve ok.h5 --max-iterations 0 -> --max-iterations 0: expected a whole number, at l
solve ok.h5 --solver newton -> --solver 'newton' for a linear body: expected one of
solve pore.h5 --solver dual -> --solver dual for a body with pores: .* --solver cg
solve ok.h5 --boundary x=free --scheme fourier -> --scheme fourier with a boundary
solve ok.h5 --threads 0 -> --threads.* 0 is not in the range x>=1
solve ok.h5 --initial no.h5 -> no\.h5: no such file; check the name
solve ok.h5 --initial ok.h5 -> ok\.h5 holds no result; make one with fftmech solve
solve ok.h5 --initial result.h5 -> 2 x 3 x 4 voxels: expected 4 x 4 x 4; solve it
solve small_grid.h5 --initial result.h5 --scheme hex8 -> rotated: expected hex8; solve

output
solve ok.h5 -o mine.h5 -> mine\.h5 exists: choose another -o, or add --force
convert ok.h5 -o mine.h5 -> mine\.h5 exists: choose another -o, or add --force
convert ok.h5 -o o.vti -> o\.vti: .*: end the name in \.h5
convert ok.h5 -o ok.h5 -> ok\.h5 exists: choose another -o, or add --force
solve ok.h5 -o o.vtk -> o\.vtk: files are written as VTKHDF: end the name in \.h5
solve ok.h5 -o '' -> files are written as VTKHDF: end the name in \.h5
solve ok.h5 -o no/o.h5 -> no/o\.h5: no folder .*no; create it first
solve ok.h5 -o folder --force -> folder is a folder: give the name of a file
solve ok.h5 -o locked/o.h5 -> locked cannot be written to .*; choose another -o
solve ok.h5 -o /proc/o.h5 -> /proc cannot be written to .*; choose another -o

commands
convert ok.h5 -> Missing option '-o' / '--output' \(see fftmech convert --help\)
solve -> Missing argument 'SOURCE' \(see fftmech solve --help\)
solve ok.h5 bare.h5 -> extra argument \(bare.h5\) \(see fftmech solve --help\)
solv ok.h5 -> No such command 'solv'.* \(see fftmech --help\)
solve ok.h5 --resolution 8 -> No such option.* '?--resolution.*solve --help

plot and compare
plot ok.h5 -o f.png --field heat -> --field 'heat': expected one of phase, strain
plot ok.h5 -o f.png --field stress -> --field stress: .*; solve it first
plot result.h5 -o f.png --field von_mises --component xx -> scalar
plot result.h5 -o f.png --field phase --spectrum -> --field
plot ok.h5 -o f.png --dpi 1 -> 10
plot ok.h5 -o no/f.png -> create it first
plot ok.h5 -o f.png --slice z=4 -> --slice 'z=4': outside .* z voxels are 0 to 3
plot ok.h5 -o f.png --slice mid -> --slice 'mid': expected AXIS=WHERE, for
plot result.h5 -o f.png --field stress --component r -> --component 'r' of stress
plot ok.h5 -o f.bmp -> f\.bmp: pictures are written as .*; end the name in one of
plot ok.h5 -o mine.png -> mine\.png exists: choose another -o, or add --force
plot ok.h5 -o f.png --grid --spectrum -> exclude each other: give one
compare result.h5 other.h5 -> solve both at one --res
compare result.h5 ok.h5 -> ok\.h5 holds no result; make one with fftmech solve
compare run.h5 result.h5 -> run\.h5: dataset /fftmech/run does not say .*; solve again
info result.h5 --by grain --axes xyz -> --axes of a result: .*; leave it out
info run.h5 -> run\.h5: dataset /fftmech/run does not say .*; solve again

generate
generate foam -o o.h5 -> No such command 'foam'.* \(see fftmech generate --help\)
generate polycrystal -o o.h5 --res 8 --grains 0 -> 0.* at least 1
generate polycrystal -o o.h5 --res 0 -> --res 0: .* at least 1
generate polycrystal -o o.h5 --res 100000 -> a grid of 100000 x .*; lower --res
generate polycrystal -o o.h5 --res 8 --sizes 999,1 -> mu = 999.*; lower mu
generate inclusions -o o.h5 --res 16 --fraction 2 -> fraction 2.* between 0 and 1
generate pores -o o.h5 --res 8 --count 9999999999999999999999 -> at most 512
generate pores -o o.h5 --kind crack -> 'crack' is not one of 'gas'
"""
"""Command line -> what the message says; a line without an arrow is a heading."""

SIX_STRESSES = " ".join(f"--stress {c}=1" for c in ("xx", "yy", "zz", "yz", "xz", "xy"))

LINES = dict(line.split(" -> ") for line in CASES.splitlines() if " -> " in line)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder of bad files; no test leaves anything in it."""
    made = tmp_path_factory.mktemp("bad")
    write_bad_files(made)
    return made


def content(folder):
    """Every file below a folder with what is in it."""
    return {
        path: path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def stage(line, folder):
    """Make what only some machines can, or skip."""
    if "cuda" in line and importlib.util.find_spec("cupy"):
        pytest.skip("CuPy is installed")
    if "locked" in line and os.access(folder / "locked", os.W_OK):
        pytest.skip("this user may write anywhere")
    if "/proc" in line and not Path("/proc/self").exists():
        pytest.skip("no folder that refuses everybody")
    if ".tif" in line:
        pytest.importorskip("tifffile")
        write_bad_tif(folder)
    if line.startswith("plot"):
        pytest.importorskip("matplotlib")


def argument_names(line):
    """Names in Python of the options of a line that are spelled otherwise there."""
    name, *words = shlex.split(line) or [""]
    command = main.get_command(None, name)
    command = getattr(command, "commands", {}).get("".join(words[:1]), command)
    typed = [p for p in getattr(command, "params", ()) if set(p.opts) & set(words)]
    return [p.name for p in typed if f"--{p.name}" not in p.opts]


@pytest.mark.parametrize("line", LINES)
def test_bad_input_is_one_line_with_its_remedy_and_writes_nothing(
    line, folder, monkeypatch
):
    stage(line, folder)
    monkeypatch.chdir(folder)
    before = content(folder)
    arguments = shlex.split(line.replace("STRESS", SIX_STRESSES))
    done = CliRunner().invoke(main, arguments)
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == 2 and not done.stdout
    assert re.fullmatch(r"Error: [^\n]+\n", done.stderr), done.stderr
    assert re.search(LINES[line], done.stderr), done.stderr
    for name in argument_names(line):
        assert not re.match(rf"Error: {name}\b", done.stderr), done.stderr
        assert "_" not in name or name not in done.stderr, done.stderr
    assert content(folder) == before


@pytest.mark.parametrize(
    "line",
    [
        "solve ok.h5 --res 192",
        "solve ok.h5 --res 192 --composite laminate",
        "homogenize ok.h5 --res 192,192,192",
        "generate polycrystal -o o.h5 --res 512",
        "convert b.raw -o o.h5 --dtype uint8 --shape 1024,1024,1024",
    ],
)
def test_what_the_memory_cannot_hold_is_refused_before_memory_is_taken(
    line, folder, monkeypatch
):
    monkeypatch.chdir(folder)
    with open("b.raw", "wb") as file:
        # a hole: no disk is taken
        file.truncate(2**30)
    quarter = SimpleNamespace(available=2**28)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: quarter)
    tracemalloc.start()
    try:
        done = CliRunner().invoke(main, shlex.split(line))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert done.exit_code == 2 and "0.25 GiB are free" in done.stderr, done.output
    assert done.stderr.count("\n") == 1
    assert peak < 2**22


@pytest.mark.parametrize("kind", ["i2", ">i4", "u8", ">u8", "?", "f2", ">f8"])
def test_whole_numbers_of_every_type_are_phase_ids(kind, tmp_path):
    bare(tmp_path / "m.h5", IDS.astype(kind), stiffness=VOIGT.astype(">f4"))
    done = CliRunner().invoke(main, ["info", str(tmp_path / "m.h5"), "--json"])
    assert done.exit_code == 0 and not done.stderr, done.output
    body = io.read(tmp_path / "m.h5").check()
    assert (body.phase == IDS).all()
    np.testing.assert_array_equal(body.stiffness[:, :3, :3], VOIGT[:, :3, :3])


def test_a_link_to_another_file_is_followed(folder):
    assert (io.read(folder / "linked.h5").phase == IDS).all()


def test_a_lone_boolean_image_is_a_microstructure(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["image"] = IDS.astype(bool)
    assert (io.read(tmp_path / "m.h5", axes="xyz").phase == IDS).all()
