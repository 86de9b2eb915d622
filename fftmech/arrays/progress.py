"""How computations that take minutes say how far they are."""

from collections.abc import Callable

ProgressReport = Callable[[float, float | None, str], None]
"""Called with steps done, all steps (None if unknown), and what is being done."""
