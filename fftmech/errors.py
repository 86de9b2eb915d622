"""Errors that are the user's to mend, and solves that failed."""


class InputError(ValueError):
    """Bad input, in one line: "what: expected this; do that".

    The command line prints the line and exits with code 2.

    Parameters
    ----------
    what
        What was given: file, dataset, shape, value.
    expected
        What was expected instead, if that is not said by `what`.
    mend
        What to do about it.
    """

    def __init__(self, what: str, expected: str = "", mend: str = "") -> None:
        # all three, for an error may come out of another process
        super().__init__(what, expected, mend)
        self.what, self.expected, self.mend = what, expected, mend

    def __str__(self) -> str:
        expected = f": expected {self.expected}" if self.expected else ""
        return f"{self.what}{expected}{f'; {self.mend}' if self.mend else ''}"

    def within(self, place: object) -> "InputError":
        """The same error, found in a file or a part of one."""
        return InputError(f"{place}: {self.what}", self.expected, self.mend)


class NotConverged(RuntimeError):
    """A solve did not converge where nothing can be done without its fields."""
