"""Whether other work has the processors, so that wall times are not a program's own."""

import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

BUSY = 1.2
"""Crowding above which times are not compared."""

PROBE = 0.2
"""Seconds that it is measured for: a clock of processor time may tick every 16 ms."""

_BLOCK = bytes(2**22)


def crowding(threads: int = 1) -> float:
    """Wall time over processor time of threads that do nothing but compute.

    1 where each of them has a processor for itself, 2 where half of the time something
    else has it. The processor time of the tasks themselves does not say that: threads
    also wait for each other.
    """
    barrier = threading.Barrier(threads)

    def share(_: int) -> float:
        barrier.wait()
        started, worked = time.perf_counter(), time.thread_time()
        # checksums, as Python lets the other threads work meanwhile
        while (passed := time.perf_counter() - started) < PROBE:
            zlib.crc32(_BLOCK)
        return (time.thread_time() - worked) / passed

    with ThreadPoolExecutor(threads) as pool:
        return threads / max(sum(pool.map(share, range(threads))), 1e-3)


def busy(crowded: float) -> str:
    """Why the times of a crowded machine do not count, in words; "" of one that is not.

    `crowded` is what `crowding` returned.
    """
    if crowded <= BUSY:
        return ""
    return f"this machine is busy: wall time is {crowded:.2g} times processor time"
