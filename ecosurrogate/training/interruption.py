"""Ctrl-C and SIGTERM as a flag that is checked between two steps."""

import signal
import threading
from types import FrameType
from typing import Any


class Interruption:
    """A context in which the first signal only sets `asked`; a second Ctrl-C ends it.

    In threads but the main one signals are left alone.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True
