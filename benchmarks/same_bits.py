"""Whether a change of the code changed a bit of what the commands write.

    python benchmarks/same_bits.py > before      # with the old version installed
    python benchmarks/same_bits.py > after       # with the new one
    diff before after

A dozen commands are run in an empty folder, on two threads, and a hash is printed of
each array in their files and of what they print, but for times, versions and paths.
With the folder of a trained run as argument, its predictions are among them.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

MATERIALS = """
units = "GPa"
[default]
isotropic = { E = 70.0, nu = 0.3 }
plasticity = { yield_stress = 0.2, hardening = 1.0 }
[[phase]]
id = 1
isotropic = { E = 400.0, nu = 0.2 }
"""

LOAD_PATH = """
[[step]]
increments = 3
strain = { xx = 4e-3 }
stress = { yy = 0, zz = 0 }
[[step]]
increments = 2
strain = { xx = 0 }
stress = { yy = 0, zz = 0 }
"""

COMMANDS = """
fftmech generate polycrystal --res 24 --grains 12 --seed 1 -o grains.h5
fftmech generate pores --res 24 --seed 2 -o pores.h5
fftmech generate inclusions --res 16 --fraction 0.1 --seed 3 -o inclusions.h5
fftmech solve grains.h5 --strain xx=1e-3 -o rotated.vtkhdf --json
fftmech solve grains.h5 --uniaxial zz=1e-3 --scheme hex8 -o hex8.vtkhdf --json
fftmech solve grains.h5 --strain xy=1e-3 --scheme fourier --solver minres -o minres.h5
fftmech solve grains.h5 --strain xy=1e-3 --precision single -o single.vtkhdf --json
fftmech solve pores.h5 --uniaxial xx=1e-3 --solver jacobi-cg -o pores.vtkhdf --json
fftmech solve grains.h5 --boundary x=displacement --strain xx=1e-3 -o faces.h5
fftmech solve grains.h5 --res 12 --finite --F xx=1.05 --P yy=0 -o finite.vtkhdf --json
fftmech solve inclusions.h5 --materials laws.toml --path path.toml -o path.vtkhdf --json
fftmech homogenize grains.h5 --json
fftmech homogenize pores.h5 --scheme hex8 --json
fftmech compare rotated.vtkhdf hex8.vtkhdf --json
fftmech dataset polycrystal -o data --count 4 --res 16 --low-res 8 --jobs 1 --seed 5
ecosr predict RUN grains.h5 -o predicted.vtkhdf --json
"""

VOLATILE = re.compile(r"time|seconds|version|output|created|sha256|host|platform|speed")
"""Names of what differs between two runs of the same code."""


def main() -> None:
    run = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
    os.environ.update(OMP_NUM_THREADS="2", DUCC0_NUM_THREADS="1")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("laws.toml").write_text(MATERIALS, encoding="utf-8")
        Path("path.toml").write_text(LOAD_PATH, encoding="utf-8")
        for line in COMMANDS.strip().splitlines():
            if run is None and "RUN" in line:
                continue
            known = set(Path().rglob("*"))
            words = [str(run) if word == "RUN" else word for word in line.split()]
            done = subprocess.run(words, capture_output=True, text=True)
            print(f"$ {line}\n  exit code {done.returncode}")
            if done.returncode:
                print(done.stderr)
            if "--json" in words and done.stdout:
                print("  printed", digest(steady(json.loads(done.stdout))))
            for file in sorted(set(Path().rglob("*")) - known):
                if file.suffix in (".h5", ".vtkhdf"):
                    for name, value in contents(file):
                        print(f"  {file} {name} {digest(value)}")
                elif file.suffix == ".csv":
                    print(f"  {file} {digest(file.read_text(encoding='utf-8'))}")


def contents(path: Path) -> Iterator[tuple[str, object]]:
    """Arrays and attributes of an HDF5 file."""
    found: list[tuple[str, object]] = []

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            found.append((name, item[()]))
        found.extend((f"{name}@{key}", value) for key, value in item.attrs.items())

    with h5py.File(path) as file:
        file.visititems(visit)
    for name, value in found:
        if VOLATILE.search(name.rpartition("/")[2]) and "VTKHDF" not in name:
            continue
        yield name, value


def steady(value: object) -> object:
    """JSON without what differs from run to run."""
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if not VOLATILE.search(k)}
        return {k: steady(v) for k, v in kept.items()}
    return [steady(v) for v in value] if isinstance(value, list) else value


def digest(value: object) -> str:
    """Short hash of an array, a text or a JSON document (also one in an HDF5 text)."""
    if isinstance(value, bytes | str | np.bytes_):
        text = value.decode() if isinstance(value, bytes) else str(value)
        try:
            value = steady(json.loads(text))
        except ValueError:
            value = text
    if isinstance(value, np.ndarray) and value.dtype != object:
        data = str(value.dtype).encode() + str(value.shape).encode() + value.tobytes()
    else:
        data = repr(value).encode()
    return hashlib.sha256(data).hexdigest()[:16]


if __name__ == "__main__":
    main()
