"""Datasets of tiny bodies, the command line that makes them, and what is in them."""

import subprocess
import sys
from pathlib import Path

from command_lines import one_line_of
from command_lines import run_fftmech as run

from fftmech.datasets.manifest import read_manifest

COUNT = 8

PORES = "dataset pores --res 8 --low-res 4 --fraction 0.05,0.12 --splits 5,2,1 --seed 0"
"""Each sample takes about 10 ms; the last of eight is solved at both resolutions."""

PROGRAM = "from fftmech_cli.fftmech_main import main; main()"


def pores(output: Path | str, options: str = "--jobs 1", count: int = COUNT) -> str:
    """Line that makes a dataset."""
    return f"{PORES} --count {count} -o {output} {options}"


def refused(line: str, code: int = 2) -> str:
    """Run a line that fails with one line on standard error; return that line."""
    return one_line_of(run(line, code=code))


def start(line: str, program: str = PROGRAM, **options) -> subprocess.Popen:
    """Start a line in another process."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", program, *line.split()],
        **{"stdin": pipe, "stdout": pipe, "stderr": pipe, "text": True, **options},
    )


def content(folder: Path) -> dict[str, bytes]:
    """Bytes of every file by its name, hidden ones too; but for the lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def check_what_is_counted(folder: Path, whole: dict[str, bytes]) -> None:
    """What a dataset says that it has, it has, whatever else lies there."""
    if not (folder / "dataset.json").exists():
        return
    for record in read_manifest(folder).records.values():
        assert record["status"] == "done"
        name = f"samples/{record['index']:05d}.h5"
        assert (folder / name).read_bytes() == whole[name]
