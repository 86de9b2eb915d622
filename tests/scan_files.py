"""Small EBSD scans and files of grains in every format, written as their makers do."""

import h5py
import numpy as np
from written_files import dream3d

from fftmech.materials.elastic import cubic
from fftmech.tensors import matrix_from_quaternion, rotate_stiffness

STEEL = cubic(C11=204.6, C12=137.7, C44=126.2)
E111_STEEL = 299.782
"""Young's modulus (GPa) along [111]: 1 / E = S11 - 2/3 (S11 - S12 - S44 / 2)."""

E111 = (0.0, np.rad2deg(np.arccos(3**-0.5)), 45.0)
"""Bunge angles (degrees) of a crystal whose [111] lies along z."""

NX, NY = 4, 3
STEPS = 0.5, 0.25


def modulus(body, material, direction, grain=1):
    """Young's modulus of one grain along a direction of the box."""
    C = rotate_stiffness(material, matrix_from_quaternion(body.orientation[grain]))
    S = np.linalg.inv(C)
    n = np.array(direction, float) / np.linalg.norm(direction)
    x, y, z = n
    mandel = np.array(
        [x * x, y * y, z * z, *(2**0.5 * np.array([y * z, x * z, x * y]))]
    )
    return 1 / (mandel @ S @ mandel)


def uniform(angles=E111, shape=(NX, NY)):
    """The same Bunge angles at each pixel, (ny, nx, 3), degrees."""
    return np.broadcast_to(np.array(angles, float), (*shape[::-1], 3))


def two_grains(angles=(E111, (10.0, 20.0, 30.0)), shape=(NX, NY)):
    """Bunge angles of a map of two halves, the first at small x."""
    euler = np.array(uniform(angles[0], shape))
    euler[:, shape[0] // 2 :] = angles[1]
    return euler


def _phases(phase, euler):
    return np.ones(euler.shape[:2], int) if phase is None else np.asarray(phase)


def ang(path, euler, phase=None, ci=None, symmetry=("43",), names=("Iron",)):
    """Write an .ang file; angles (ny, nx, 3) in degrees."""
    ny, nx = euler.shape[:2]
    phase = _phases(phase, euler)
    ci = np.full((ny, nx), 0.9) if ci is None else ci
    lines = [
        "# TEM_PIXperUM          1.000000",
        "# x-star                0.487500",
        "#",
    ]
    for number, (name, code) in enumerate(zip(names, symmetry, strict=True), start=1):
        lines += [
            f"# Phase {number}",
            f"# MaterialName  \t{name}",
            "# Formula     \tFe",
            f"# Symmetry              {code}",
            "# LatticeConstants      2.870 2.870 2.870  90.000  90.000  90.000",
            "# NumberFamilies        1",
            "# hklFamilies   \t 1  1  0 1 0.000000",
        ]
    lines += ["#", "# GRID: SqrGrid", f"# XSTEP: {STEPS[0]}", f"# YSTEP: {STEPS[1]}"]
    lines += [f"# NCOLS_ODD: {nx}", f"# NCOLS_EVEN: {nx}", f"# NROWS: {ny}", "#"]
    for j in range(ny):
        for i in range(nx):
            a, b, c = np.deg2rad(euler[j, i])
            lines.append(
                f"  {a:.5f}   {b:.5f}   {c:.5f}   {i * STEPS[0]:.5f}   "
                f"{j * STEPS[1]:.5f}  100.0  {ci[j, i]:.3f}  {phase[j, i]}  1  1.2"
            )
    path.write_text("\n".join(lines) + "\n")
    return path


def hexagonal_ang(path, angles=E111):
    """Write an .ang file of rows of 4 and 3 pixels, each second one half a step off."""
    square = ang(path, uniform(angles, (4, 4))).read_text()
    head = [line for line in square.splitlines() if line.startswith("#")]
    text = "\n".join(head).replace("SqrGrid", "HexGrid")
    lines = [text.replace("NCOLS_EVEN: 4", "NCOLS_EVEN: 3")]
    a, b, c = np.deg2rad(angles)
    for j in range(4):
        for i in range(4 - j % 2):
            x = (i + 0.5 * (j % 2)) * STEPS[0]
            position = f"{x:.5f} {j * STEPS[1]:.5f}"
            lines.append(f" {a:.5f} {b:.5f} {c:.5f} {position} 100.0 0.9 0 1 1.2")
    path.write_text("\n".join(lines) + "\n")
    return path


def ctf(path, euler, phase=None, laue=(11,), names=("Iron",), acquired=0):
    """Write a .ctf file; angles (ny, nx, 3) in degrees."""
    ny, nx = euler.shape[:2]
    phase = _phases(phase, euler)
    lines = ["Channel Text File", "Prj\ttest", "Author\t[Unknown]", "JobMode\tGrid"]
    lines += [f"XCells\t{nx}", f"YCells\t{ny}", f"XStep\t{STEPS[0]}"]
    lines += [f"YStep\t{STEPS[1]}", f"AcqE1\t{acquired}", "AcqE2\t0", "AcqE3\t0"]
    lines.append(
        "Euler angles refer to Sample Coordinate system (CS0)!\tMag\t100\tCoverage\t100"
        "\tDevice\t0\tKV\t20\tTiltAngle\t70\tTiltAxis\t0"
    )
    lines.append(f"Phases\t{len(laue)}")
    for name, number in zip(names, laue, strict=True):
        lines.append(f"2.866;2.866;2.866\t90;90;90\t{name}\t{number}\t229\t\t\tbook")
    lines.append("Phase\tX\tY\tBands\tError\tEuler1\tEuler2\tEuler3\tMAD\tBC\tBS")
    for j in range(ny):
        for i in range(nx):
            a, b, c = euler[j, i]
            lines.append(
                f"{phase[j, i]}\t{i * STEPS[0]:.4f}\t{j * STEPS[1]:.4f}\t8\t0\t"
                f"{a:.4f}\t{b:.4f}\t{c:.4f}\t0.5\t120\t200"
            )
    path.write_text("\r\n".join(lines) + "\r\n")
    return path


def h5oina(path, euler, phase=None, laue=(11,), names=("Iron",)):
    """Write an .h5oina file; angles (ny, nx, 3) in degrees."""
    ny, nx = euler.shape[:2]
    with h5py.File(path, "w") as file:
        file["Format Version"] = np.array([b"5.0"])
        file["Index"] = np.array([b"1"])
        header = file.create_group("1/EBSD/Header")
        for key, value in (("X Cells", nx), ("Y Cells", ny)):
            header[key] = np.array([value], np.int32)
        for key, value in zip(("X Step", "Y Step"), STEPS, strict=True):
            header[key] = np.array([value], np.float32)
        header["Specimen Orientation Euler"] = np.zeros((1, 3), np.float32)
        header["Scanning Rotation Angle"] = np.array([np.nan], np.float32)
        for number, (name, group) in enumerate(zip(names, laue, strict=True), start=1):
            header[f"Phases/{number}/Phase Name"] = np.array([name.encode()])
            header[f"Phases/{number}/Laue Group"] = np.array([group], np.int32)
        data = file.create_group("1/EBSD/Data")
        data["Phase"] = _phases(phase, euler).astype(np.uint8).reshape(-1)
        data["Euler"] = np.deg2rad(euler).astype(np.float32).reshape(-1, 3)
        data["Band Contrast"] = np.full(nx * ny, 100, np.uint8)
    return path


def evpfft(path, euler, phase=None):
    """Write EVPFFT's text, a grain a half of the map; angles (ny, nx, 3) in degrees."""
    ny, nx = euler.shape[:2]
    phase = _phases(phase, euler)
    lines = []
    for j in range(ny):
        for i in range(nx):
            a, b, c = euler[j, i]
            grain = (1 + (i >= nx // 2)) * (phase[j, i] > 0)
            lines.append(
                f"{a:.3f} {b:.3f} {c:.3f} {i + 1} {j + 1} 1 {grain} {phase[j, i]}"
            )
    path.write_text("\n".join(lines) + "\n")
    return path


def two_phases(path):
    """Write a DREAM.3D volume: a grain of steel, one of copper, an unknown cell."""
    ids = np.ones((4, 4, 4), int)
    ids[2:] = 2
    ids[1, 1, 1] = 0
    euler = np.zeros((4, 4, 4, 3))
    euler[:2] = np.deg2rad(E111)
    dream3d(path, 7, ids, euler=euler, structures=[999, 1, 1])
    with h5py.File(path, "a") as file:
        root = file["DataContainers/Scan"]
        root["EBSD Cells/Phases"][...] = ids.T[..., None]
        names = np.array(["Invalid", "steel", "copper"], object)
        root["Ensemble/MaterialName"] = names.astype(h5py.string_dtype())
    return path


SCANS = {"a.ang": ang, "a.ctf": ctf, "a.h5oina": h5oina}
"""Writers of EBSD scans, by a name for the file."""

GRAINS = {**SCANS, "a.txt": evpfft}
"""Writers of all of them."""
