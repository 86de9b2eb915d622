"""Errors that are the user's to mend."""


class InputError(ValueError):
    """Bad input: one line saying what was given, what was expected, how to mend it.

    The command line prints the message and exits with code 2.
    """
