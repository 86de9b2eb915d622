"""Tasks for a helper that go wrong; their module needs little memory."""

import os
import time


def dies(report):
    """A task that takes its process with it."""
    os._exit(1)


def sleeps(report):
    """A task without end."""
    report({"asleep": True})
    time.sleep(60)


def takes(report, size):
    """A task that takes memory, and returns how much."""
    return len(bytearray(size))
