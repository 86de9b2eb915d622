"""What a client is told when it does not get what it asked for."""

import re
from os import PathLike
from pathlib import Path

from fftmech.errors import InputError

UNREADABLE = 422
"""Status of a body or an option that makes no sense."""

_PARTS = re.compile(r"(.+?)(?:: expected (.+?))?(?:; ([^;]+))?", re.DOTALL)


class Refusal(Exception):
    """A request that is refused, as one line of JSON.

    Parameters
    ----------
    status
        Of HTTP.
    error, expected, mend
        What was given, what was expected, what to do about it.
    retry_after
        Seconds after which to try again, where that helps.
    """

    def __init__(
        self,
        status: int,
        error: str,
        expected: str,
        mend: str,
        retry_after: int | None = None,
    ) -> None:
        # all of them, for a refusal comes out of another process
        super().__init__(status, error, expected, mend, retry_after)
        self.status = status
        self.error, self.expected, self.mend = map(_line, (error, expected, mend))
        self.retry_after = retry_after

    def as_dict(self) -> dict[str, str]:
        """JSON-ready."""
        return {"error": self.error, "expected": self.expected, "mend": self.mend}

    def headers(self) -> dict[str, str]:
        """Of the response."""
        headers = {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        return headers


def refusal_of(error: InputError, path: str | PathLike | None = None) -> Refusal:
    """The message of an error in its parts, without the folder of our file `path`."""
    text = str(error)
    if path is not None:
        text = text.replace(str(path), "the body").replace(f"{Path(path).parent}/", "")
    found = _PARTS.fullmatch(text)
    what, expected, mend = found.groups() if found else (text, None, None)
    if mend and mend.startswith(("it has ", "the file has ")):
        # a listing of what was found, which is no advice
        what, mend = f"{what}; {mend}", None
    return Refusal(
        UNREADABLE,
        what,
        expected or "a microstructure, a load and options that can be solved",
        mend or "look at the file with fftmech info",
    )


def _line(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:600]
