"""What Linux control groups allow this process: containers and batch jobs have them.

The limits of a group are files in its folder, in one hierarchy (version 2) or one for
each kind of limit (version 1). A process is bound by those of its group and of all
above it. Where there are no such files, as on other systems, nothing is limited.
"""

import posixpath
from collections.abc import Iterator
from functools import cache
from math import inf
from pathlib import Path

ROOT = Path("/")

MEMORY = (
    ("memory.max", "memory.current", ""),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
)
"""Files of versions 2 and 1: limit and use; prefix of `memory.stat` with subgroups."""


@cache
def cpu_quota(root: Path = ROOT) -> float:
    """Processors whose whole time this process may take; infinite without a quota."""
    quota = inf
    for group in _groups("cpu", root):
        # microseconds in each period; version 2 has both in one file
        numbers = _numbers(group / "cpu.max") or [
            *_numbers(group / "cpu.cfs_quota_us"),
            *_numbers(group / "cpu.cfs_period_us"),
        ]
        if len(numbers) == 2 and numbers[0] > 0:  # -1 is no quota
            quota = min(quota, numbers[0] / numbers[1])
    return quota


def memory_left(root: Path = ROOT) -> float:
    """Bytes that this process may still take; infinite without a limit."""
    left = inf
    for group in _groups("memory", root):
        for limit, used, prefix in MEMORY:
            numbers = [*_numbers(group / limit), *_numbers(group / used)]
            if len(numbers) == 2 and numbers[0] < inf:
                held = numbers[1] - _cached_files(group, prefix)
                left = min(left, max(0.0, numbers[0] - held))
    return left


def _groups(controller: str, root: Path) -> Iterator[Path]:
    """Folders of this process's group and of those above it, some of them not there.

    In a container the path of the group may be that on its host, where only the
    uppermost folder, its own group, is visible.
    """
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        top = root / "sys/fs/cgroup"
        if controllers:
            top /= controller
        if not controllers or controller in controllers.split(","):
            # a group outside of the container's begins with /..
            own = top / posixpath.normpath(path).strip("/")
            yield own
            yield from (above for above in own.parents if above.is_relative_to(top))


def _cached_files(group: Path, prefix: str) -> float:
    """Bytes of files that the kernel keeps in memory, and drops when it is needed."""
    words = _text(group / "memory.stat").split()
    sizes = dict(zip(words[::2], words[1::2], strict=True))
    return sum(float(sizes.get(f"{prefix}{a}_file", 0)) for a in ("active", "inactive"))


def _numbers(file: Path) -> list[float]:
    return [inf if word == "max" else float(word) for word in _text(file).split()]


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
