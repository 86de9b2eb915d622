"""Errors that are the user's to mend, and solves that failed."""


class InputError(ValueError):
    """Bad input: one line saying what was given, what was expected, how to mend it.

    The command line prints the message and exits with code 2.
    """


class NotConverged(RuntimeError):
    """A solve did not converge where nothing can be done without its fields."""
