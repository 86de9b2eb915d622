"""The folder of a server, for bodies under way and for results of jobs."""

import os
import shutil
import tempfile
from pathlib import Path

NAME = "ecosr-serve-"
"""How its name begins; the number of its process follows."""


def own_folder() -> Path:
    """Make a folder that only this user reads; remove those of killed servers."""
    import psutil

    for folder in Path(tempfile.gettempdir()).glob(f"{NAME}*"):
        number = folder.name.removeprefix(NAME).partition("-")[0]
        if number.isdecimal() and not psutil.pid_exists(int(number)):
            shutil.rmtree(folder, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{NAME}{os.getpid()}-"))
