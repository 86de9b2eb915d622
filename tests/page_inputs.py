"""Small inputs in the place of files that pages of the documentation name."""

import gzip
from functools import partial

import numpy as np
import pytest
from foreign_files import PLASTIC, abaqus, damask_yaml, material, voxel_tesr
from scan_files import E111, STEEL, ang, ctf, evpfft, h5oina, two_grains, two_phases
from small_runs import GRAINS, as_options, make_dataset, run, tiny
from written_files import MARK, NX, NY, NZ, dream3d, marked, tesr, vti

from fftmech import Grid, Load, Microstructure, solve, write, write_result
from fftmech.materials import PORE, hexagonal
from fftmech.materials.crystal_creep import CrystalCreep
from fftmech.microstructure import polycrystal

UNITS = {"stress": "GPa"}
METAL = """units = "GPa"
[default]
isotropic = { E = 70.0, nu = 0.3 }
plasticity = { yield_stress = 0.2 }
"""
TENSION = "[[step]]\nuniaxial = { xx = 0.01 }\nincrements = 2\n"
ROLLING = "[[step]]\nstrain = { xx = 0.02, zz = -0.02 }\nincrements = 2\n"
TITANIUM = hexagonal(C11=162.4, C12=92.0, C13=69.0, C33=180.7, C44=46.7)


def text(content, path):
    """A file of text."""
    path.write_text(content)


def crystals(path, crystal=STEEL, seed=0, **changes):
    """Grains with a stiffness, 8^3 voxels."""
    body = polycrystal(8, 6, seed=seed, stiffness=crystal)
    write(path, body.with_changes(units=UNITS, **changes))


def folder_of(count, path):
    """A folder of bodies."""
    path.mkdir()
    for seed in range(count):
        crystals(path / f"{seed}.h5", seed=seed)


def solution(path, scheme="bbar"):
    """Fields of grains."""
    body = polycrystal(8, 6, stiffness=STEEL)
    body = body.with_changes(units=UNITS, material=np.zeros(6, int))
    write_result(path, solve(body, Load.uniaxial("zz", 1e-3), scheme=scheme))


def particle(path, n=8):
    """Phase ids of two cubes in a matrix, `n`^3 voxels."""
    phase = np.zeros((n, n, n), np.uint8)
    phase[1 : n // 2, 1 : n // 2, 1 : n // 2] = 1
    phase[n // 2 + 1 : n - 1, n // 2 + 1 : n - 1, 2 : n // 2] = 1
    write_bare(path, phase)


def write_bare(path, phase):
    """Phase ids in the format that the name says."""
    if path.suffix == ".npy":
        np.save(path, phase)
    elif path.suffix == ".h5":
        write(path, Microstructure(Grid(phase.shape), phase))
    else:
        content = phase.tobytes(order="F")
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def images(path):
    """A folder with an image whose voxels of value 0 are pores."""
    path.mkdir()
    image = np.ones((32, 32, 32), np.uint8)
    for x, y, z in ((3, 3, 3), (19, 3, 19), (3, 19, 19), (19, 19, 3)):
        image[x : x + 7, y : y + 6, z : z + 8] = 0
    (path / "rock.raw").write_bytes(image.tobytes(order="F"))


def grid_of_damask(path):
    """A grid of four grains."""
    ids = marked().T.ravel()
    numbers = " ".join(map(str, ids)).encode()
    some = " ".join(map(str, ids % 4)).encode()
    path.write_bytes(vti("ascii").replace(numbers, some))


def materials_of_damask(path):
    """Its materials."""
    yaml = damask_yaml(plastic=PLASTIC.format(a=2.25, h=1.4), count=4)
    path.write_bytes(yaml.replace(b"steel", b"copper"))


def tessellation(extra, path):
    """Cells with orientations, and perhaps with groups."""
    turns = "  *ori\n   rodrigues\n   0.1 0 0\n   0 0.2 0.3\n"
    path.write_bytes(tesr(extra=turns + extra, values=1 + marked() % 2))


def tessellation_of_voxels(path):
    """Cells with an orientation for each voxel, two of which are not indexed."""
    cells = np.ones((NX, NY, NZ), int)
    cells[MARK] = cells[0, 0, 0] = 0
    rows = np.random.default_rng(0).normal(scale=0.01, size=(cells.size, 3))
    path.write_bytes(voxel_tesr(rows, cells=cells))


def deck(path):
    """Voxels of two materials as Abaqus has them."""
    extra = material("ALUMINIUM", "*Elastic", "70., 0.33", "*Plastic", "0.2, 0.")
    extra += "\n" + material("STEEL", "*Elastic", "210., 0.3") + "\n*Step\n*End Step"
    ids = np.ones((4, 4, 4), int)
    ids[:2] = 2
    content = abaqus(ids, h=(1, 1, 1), extra=extra)
    content = content.replace(b"MAT-1", b"ALUMINIUM").replace(b"MAT-2", b"STEEL")
    path.write_bytes(content)


def grey_values():
    """Of a scan of eight slices."""
    return np.random.default_rng(0).integers(0, 255, (8, 16, 16)).astype("u1")


def slices(path):
    """A folder of slices, of which one is missing."""
    pillow = pytest.importorskip("PIL.Image")
    path.mkdir()
    for k, plane in zip([1, 2, 3, 4, 6, 7, 8, 10], grey_values(), strict=True):
        pillow.fromarray(plane).save(path / f"scan_{k}.png")
    (path / "scanner.log").write_text("8 slices")


def stack(path):
    """A stack as ImageJ writes it."""
    tifffile = pytest.importorskip("tifffile")
    said = {"spacing": 2.0, "unit": "um", "axes": "ZYX"}
    tifffile.imwrite(path, grey_values(), imagej=True, resolution=(2, 2), metadata=said)


def ebsd(path):
    """A scan of two grains, with a pixel that was not indexed."""
    missed = np.where(np.arange(12).reshape(3, 4) == 5, -1.0, 0.5)
    ang(path, two_grains(), ci=missed)


def indexed(path):
    """A volume of two grains of one material."""
    ids = np.ones((4, 4, 4), int)
    ids[2:] = 2
    euler = np.where(ids[..., None] == 1, np.deg2rad(E111), 0.0)
    dream3d(path, 7, ids, euler=euler, structures=[999, 1, 1])


def fibre(path):
    """A fibre along x, through the whole box."""
    phase = np.zeros((8, 8, 8), np.uint8)
    phase[:, 2:5, 2:5] = 1
    write_bare(path, phase)


def cut(path):
    """A solid that a layer of pore cuts in two across x."""
    phase = np.zeros((8, 8, 8), np.uint8)
    phase[3] = 1
    write(path, Microstructure(Grid(phase.shape), phase, [STEEL, PORE]))


def slipping(path):
    """Crystals that slip."""
    law = CrystalCreep(tau0=0.016, rate0=1e-3, exponent=3, bulk=100.0)
    body = polycrystal(4, 3)
    write(path, body.with_changes(law=dict.fromkeys(range(3), law), units=UNITS))


def damaged(path):
    """A sample of a dataset that is not what it was."""
    sample = path / "samples" / "00003.h5"
    sample.write_bytes(sample.read_bytes()[:-1] + b"?")


def dataset(path):
    """Eight solved grains to learn from."""
    make_dataset(f"{GRAINS} -o {path}")


def trained(path):
    """A model of a few steps."""
    made = path.with_name("learned-from")
    dataset(made)
    run(f"fit {made} -o {path} {as_options(tiny(steps=2, validate_every=2))}")


INPUTS = {
    "20grains32x32x32.vti": grid_of_damask,
    "bar.h5": crystals,
    "big.h5": crystals,
    "bodies": partial(folder_of, 2),
    "body.h5": slipping,
    "ct": images,
    "ct.raw": partial(particle, n=16),
    "cut.h5": cut,
    "cycle.toml": partial(text, TENSION),
    "ebsd.tesr": tessellation_of_voxels,
    "elastic.toml": partial(text, METAL[: METAL.index("plast")]),
    "fibre.h5": fibre,
    "fibres.h5": particle,
    "fiji.tif": stack,
    "grains": dataset,
    "grains.tesr": partial(tessellation, ""),
    "grains.txt": lambda path: evpfft(path, two_grains()),
    "grid.vti": grid_of_damask,
    "grosmont_128.raw.gz": partial(particle, n=16),
    "groups.tesr": partial(tessellation, "  *group\n   1 2\n"),
    "large.h5": crystals,
    "m.toml": partial(text, METAL),
    "material.yaml": materials_of_damask,
    "materials.toml": partial(text, METAL),
    "measured.dream3d": indexed,
    "micro.h5": crystals,
    "others": dataset,
    "particle.npy": particle,
    "prediction.vtkhdf": partial(solution, scheme="rotated"),
    "result.vtkhdf": solution,
    "rolling.toml": partial(text, ROLLING),
    "run": trained,
    "scan": slices,
    "scan.ang": ebsd,
    "scan.ctf": lambda path: ctf(path, two_grains()),
    "scan.h5oina": lambda path: h5oina(path, two_grains()),
    "solution.vtkhdf": solution,
    "tension.toml": partial(text, TENSION),
    "tension.vtkhdf": solution,
    "titanium.h5": partial(crystals, crystal=TITANIUM),
    "volume.dream3d": two_phases,
    "voxels.inp": deck,
}
"""Makers of files by the names that the pages give them."""
