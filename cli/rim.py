"""What every subcommand shares: errors as one line, exit codes, JSON, progress.

Exit codes: 0 done, 2 bad input, 3 not converged, 130 interrupted.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import tempfile
import threading
from _thread import interrupt_main
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from math import isfinite
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from fftmech.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

NOT_CONVERGED = 3
INTERRUPTED = 130

STRICT = "fftmech.strict"
"""Key of a click context's `meta`: whether notes are errors."""


class Finite(click.ParamType):
    """A number that is neither NaN nor infinite."""

    name = "number"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """Parse a number."""
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not isfinite(number):
            self.fail(f"{value!r}: expected a finite number", param, ctx)
        return number


class Context(click.Context):
    """What a subcommand runs in: errors name its options as they were typed."""

    def invoke(self, *args: Any, **kwargs: Any) -> Any:
        """Run the subcommand.

        A library's error that begins with the name of an argument, or names several,
        is one on the options that gave them.
        """
        try:
            return super().invoke(*args, **kwargs)
        except InputError as error:
            what = _NAME.sub(self._typed, error.what)
            raise InputError(what, error.expected, error.mend) from error

    def _typed(self, name: re.Match) -> str:
        for option in self.command.params:
            long = option.opts[-1]
            names = option.name, long.lstrip("-").replace("-", "_")
            source = self.get_parameter_source(option.name or "")
            given = source is click.core.ParameterSource.COMMANDLINE
            if given and isinstance(option, click.Option) and name[0] in names:
                return long
        return name[0]


_NAME = re.compile(r"^\w+(?=[ :]|$)|\b[a-z]+_\w+")


class Group(click.Group):
    """A click group whose every failure is one line on standard error.

    Parameters
    ----------
    subcommands
        Modules beside this one by the names of their commands; one is imported when its
        command is asked for.
    """

    def __init__(
        self, *args: Any, subcommands: Mapping[str, str], **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.subcommands = subcommands

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the subcommands, sorted."""
        return sorted(self.subcommands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a subcommand, or None of an unknown name."""
        if cmd_name not in self.subcommands:
            return None
        module = import_module(f"fftmech_cli.{self.subcommands[cmd_name]}")
        command = getattr(module, cmd_name)
        for each in (command, *getattr(command, "commands", {}).values()):
            each.context_class = Context
        return command

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> Any:
        """Run the command line and exit with one of the documented codes."""
        extra["standalone_mode"] = False
        extra.setdefault("prog_name", self.name)
        from fftmech_cli.processes import one_voice

        with one_voice():
            self._main(args, **extra)

    def _main(self, args: Sequence[str] | None, **extra: Any) -> Any:
        """Run the command line; see `main`."""
        try:
            # a number too large is refused, or its solve does not converge; NumPy's
            # warnings on the way would be more lines on standard error
            with np.errstate(all="ignore"):
                code = super().main(args, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message())
            code = 0
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx else self.name
            fail(f"{error.format_message().rstrip('.')} (see {path} --help)")
        except click.ClickException as error:
            fail(error.format_message())
        except InputError as error:
            fail(str(error))
        except OSError as error:
            reason = error.strerror or str(error)
            where = f"{error.filename}: " if error.filename else ""
            fail(f"{where}{reason}; check the name, its permissions and the disk")
        except MemoryError:
            fail("out of memory; use a smaller --res or --precision single")
        except Exception as error:
            from fftmech.plugins import failed

            if (line := failed(error)) is None:
                raise
            fail(line)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand; Ctrl-C ends it with one line."""
        try:
            with _no_interrupt_lost():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(interrupted("no file was left half-written."))


@contextmanager
def _no_interrupt_lost() -> Iterator[None]:
    """Repeat a Ctrl-C that Python ignores, in code that frees objects for instance."""
    before = sys.unraisablehook

    def repeat(unraisable: Any) -> None:
        if unraisable.exc_type is KeyboardInterrupt:
            # a moment later, when that code is left
            threading.Timer(0.01, _interrupt).start()
        else:
            before(unraisable)

    sys.unraisablehook = repeat
    try:
        yield
    finally:
        sys.unraisablehook = before


def _interrupt() -> None:
    """Send Ctrl-C to the main thread, which then leaves a system call as well."""
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)
    else:
        interrupt_main()


def fail(message: str) -> None:
    """Print one line on standard error and exit with code 2."""
    click.echo("Error: " + " ".join(message.split()), err=True)
    sys.exit(2)


def interrupted(what: str) -> int:
    """Exit code of Ctrl-C; what it leaves is said on standard error."""
    click.echo(f"Interrupted: {what}", err=True)
    return INTERRUPTED


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document on standard output, with null for NaN and infinity."""
    click.echo(json.dumps(_finite(document), indent=2, allow_nan=False))


def _finite(value: Any) -> Any:
    """The same data with None for NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def exit_code(status: str, residual: float, advice: str) -> int:
    """Exit code of a solve; what did not converge is said on standard error."""
    if status == "converged":
        return 0
    click.echo(
        f"Error: not converged ({status}): residual {residual:.1e}; {advice}", err=True
    )
    return NOT_CONVERGED


def print_notes(notes: Iterable[str], said: Sequence[str] = ()) -> None:
    """Print what was assumed, ignored or left out, a line each, on standard error.

    With --strict it is an error, but for what options have `said`.
    """
    notes = list(notes)
    check_notes(notes, said)
    for note in notes:
        click.echo(f"note: {note}", err=True)


def check_notes(notes: Iterable[str], said: Sequence[str] = ()) -> None:
    """Refuse notes where --strict was given, but for what options have `said`."""
    assumed = [note for note in notes if note not in said]
    context = click.get_current_context(silent=True)
    if assumed and context is not None and context.meta.get(STRICT):
        raise InputError(f"--strict: {'; '.join(assumed)}")


def table(*columns: str) -> Table:
    """Return a table whose first column is names and whose others are numbers."""
    # here, because --help and --json print no table
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    made.add_column(columns[0])
    for name in columns[1:]:
        made.add_column(name, justify="right")
    return made


def show(title: str, content: Table) -> None:
    """Print a table under a bold title, on standard output."""
    from rich.console import Console
    from rich.measure import measure_renderables

    console = Console(highlight=False)
    # a number is never cut to fit a terminal: 0.000… would be another one
    options = console.options.update(max_width=1000)
    console.width = max(
        console.width, measure_renderables(console, options, [content]).maximum
    )
    console.print(title, style="bold", soft_wrap=True, markup=False)
    console.print(content)


def check_output(path: str | os.PathLike, force: bool, option: str = "-o") -> None:
    """Refuse an output that exists (without --force) or cannot be written.

    Called before any work is done, so that no work is lost; `option` names it.
    """
    path = os.fspath(path)
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        raise InputError(f"{path} is a folder: give the name of a file")
    if os.path.exists(path) and not force:
        raise InputError(f"{path} exists: choose another {option}, or add --force")
    if not os.path.isdir(folder):
        raise InputError(f"{path}: no folder {folder}", mend="create it first")
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InputError(
            f"{path}: folder {folder} cannot be written to ({error.strerror})",
            mend=f"choose another {option}",
        ) from error
