"""What a client is told when it does not get what it asked for."""

from fftmech.errors import InputError

EXPECTED = "a microstructure, a load and options that can be solved"
MEND = "look at the file with fftmech info"


class Refusal(InputError):
    """A request refused with a status of HTTP of its own, not 422 as any `InputError`.

    `retry_after` are seconds after which to ask again, where that helps.
    """

    def __init__(
        self,
        status: int,
        what: str,
        expected: str,
        mend: str = "see /docs",
        retry_after: int | None = None,
    ) -> None:
        super().__init__(what, expected, mend)
        # all of them, for a refusal comes out of another process
        self.args = (status, what, expected, mend, retry_after)
        self.status, self.retry_after = status, retry_after


def parts_of(error: InputError) -> dict[str, str]:
    """What a client is told of an error, JSON-ready: one printable line each."""
    what, mend = error.what, error.mend
    if mend.startswith(("it has ", "the file has ")):
        # a listing of what was found, which is no advice
        what, mend = f"{what}; {mend}", ""
    return {
        "error": _line(what),
        "expected": _line(error.expected or EXPECTED),
        "mend": _line(mend or MEND),
    }


def busy() -> Refusal:
    """Of work that has no place in a queue."""
    return Refusal(503, "the queue is full", "fewer requests at once", "ask again", 1)


def late(seconds: float) -> InputError:
    """Of work that took too long."""
    given, expected = f"the work took more than {seconds:g} s", "work done in this time"
    return InputError(
        given, expected, "coarsen the body, or run it on the command line"
    )


def mistake() -> Refusal:
    """Of what is our fault; what happened is in the server's log."""
    mend = "try another body, and tell who runs the server"
    return Refusal(500, "the server made a mistake", "none", mend)


def too_large(what: str, most: str) -> Refusal:
    """Of what has too many bytes or voxels."""
    return Refusal(413, what, f"at most {most}", "coarsen it to fewer voxels")


def _line(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:600]
