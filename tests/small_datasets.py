"""Datasets of tiny bodies, the command line that makes them, and what is in them."""

import importlib
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def started_at_a_terminal(line: str) -> Iterator[tuple[subprocess.Popen, int]]:
    """Start a line at a terminal; its process, and what has the keyboard."""
    # these modules are of POSIX only
    fcntl, pty, termios = map(importlib.import_module, ("fcntl", "pty", "termios"))
    keyboard, terminal = pty.openpty()
    try:
        yield (
            start(
                line,
                **dict.fromkeys(("stdin", "stdout", "stderr"), terminal),
                env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
                start_new_session=True,
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            ),
            keyboard,
        )
    finally:
        os.close(terminal)
        os.close(keyboard)


def read_until(text: bytes, terminal: int) -> bytes:
    """Read what a terminal shows until it has shown `text`."""
    shown = b""
    while text not in shown:
        assert select.select([terminal], [], [], 60)[0], shown
        shown += os.read(terminal, 1000)
    return shown


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
