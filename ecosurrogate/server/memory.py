"""What freed arrays leave behind is kept by the process, for those that follow."""

import ctypes
import sys

OPTIONS = {
    -8: 1,  # M_ARENA_MAX: one place for all threads, else each keeps its own
    -3: 2**25,  # M_MMAP_THRESHOLD, the most that glibc takes: larger ones are returned
    -1: 2**29,  # M_TRIM_THRESHOLD, the most that is kept
}
"""Of glibc's mallopt(3), in bytes."""


def keep_freed_memory() -> None:
    """Have glibc keep up to 512 MiB of freed memory; elsewhere nothing is done.

    Unless told so it returns what the arrays of each layer of a network took, and the
    system clears it page by page for the next layer: a tenth of the time of a batch.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in OPTIONS.items():
            mallopt(option, value)
