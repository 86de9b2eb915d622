"""`fftmech solve` of nonlinear bodies: at finite strain, and along load paths."""

from dataclasses import dataclass, fields
from typing import Any

import click

from fftmech import (
    FiniteLoad,
    InputError,
    Load,
    March,
    Microstructure,
    Path,
    write_result,
)
from fftmech.io.load_path import MOST_INCREMENTS, read_path
from fftmech_cli.load import parse_finite_load, parse_load
from fftmech_cli.means import report
from fftmech_cli.options import options
from fftmech_cli.progress import increment_bar
from fftmech_cli.rim import check_output, exit_code, print_notes


@dataclass(frozen=True)
class PathOptions:
    """Values of `path_options`, None where not given."""

    file: str | None
    finite: bool
    F: tuple[str, ...]
    P: tuple[str, ...]
    increments: int | None
    time_tolerance: float | None
    every: int | None
    restart: bool
    rotate_crystals: bool

    def load(
        self,
        strain: tuple[str, ...],
        stress: tuple[str, ...],
        uniaxial: tuple[str, ...],
    ) -> Path | Load | FiniteLoad:
        """The load path of the file, or the load of the options."""
        small = {"--strain": strain, "--stress": stress}
        finite = {"--F": self.F, "--P": self.P}
        if self.file is not None:
            loads = {**small, "--uniaxial": uniaxial, **finite}
            others = {"--finite": self.finite, "--increments": self.increments}
            _refuse({**loads, **others}, f"with --path {self.file}, which says it all")
            return read_path(self.file)
        recorded = {"--every": self.every, "--restart": self.restart}
        _refuse(recorded, "without --path", "add --path FILE")
        if self.finite:
            _refuse(small, "with --finite", "prescribe --F and --P")
            return parse_finite_load(self.F, self.P, uniaxial)
        _refuse(finite, "without --finite", "add --finite")
        return parse_load(strain, stress, uniaxial)

    def check_files(self, output: str, force: bool) -> None:
        """Refuse files that exist, before any work is done."""
        if self.file is None:
            check_output(output, force)
            return
        # here, because --help needs no HDF5
        from fftmech.simulations.march_record import Files

        files = Files.beside(output)
        begun = files.checkpoint.exists()
        if self.restart and not begun and files.series.exists() and not force:
            raise InputError(
                f"{output} exists and {files.checkpoint} does not: that path is over",
                mend="leave out --restart, and choose another -o or add --force",
            )
        if begun and not self.restart and not force:
            raise InputError(
                f"{files.checkpoint} exists, of a path that was cut off: add --restart "
                "to go on, or --force to begin anew"
            )
        for file in files:
            check_output(file, force or (self.restart and begun))

    def path(self, load: Path | Load | FiniteLoad, body: Microstructure) -> Path | None:
        """The load path of a nonlinear solve; None where one linear solve will do."""
        if isinstance(load, Path):
            return load
        nonlinear = any(p in body.law for p in body.phases)
        if isinstance(load, FiniteLoad) or nonlinear:
            return Path.of((load,), self.increments or 1)
        given = {
            "--increments": self.increments,
            "--time-tolerance": self.time_tolerance,
            "--rotate-crystals": self.rotate_crystals,
        }
        _refuse(given, "of a linear elastic body")
        return None


path_options = options(
    click.option(
        "--finite",
        is_flag=True,
        help="Finite strain: load by --F and --P, or --uniaxial xx=1.1, a "
        "stretch. Phases without a law are St. Venant-Kirchhoff.",
    ),
    click.option(
        "--F",
        "F",
        multiple=True,
        metavar="IJ=VALUE",
        help="Prescribed mean deformation gradient, xy is row x, column y; may "
        "be repeated.  [default: the identity]",
    ),
    click.option(
        "--P",
        "P",
        multiple=True,
        metavar="IJ=VALUE",
        help="Prescribed mean first Piola-Kirchhoff stress; may be repeated.",
    ),
    click.option(
        "--increments",
        type=click.IntRange(1, MOST_INCREMENTS),
        metavar="N",
        help="Equal parts of the load of a nonlinear body.  [default: 1]",
    ),
    click.option(
        "--time-tolerance",
        type=float,
        metavar="ERROR",
        help="Cut increments until what their size changes in the stress is estimated "
        "to be below this, relative, on the whole path (crystal_creep).",
    ),
    click.option(
        "--path",
        "file",
        type=click.Path(),
        metavar="FILE",
        help="Load path (TOML). The output is a time series; a table (.csv), "
        "its curve (.png) and the last increment (-end) are beside it.",
    ),
    click.option(
        "--every",
        type=click.IntRange(min=1),
        metavar="N",
        help="Write the fields of every Nth increment of --path.  [default: 1]",
    ),
    click.option(
        "--restart",
        is_flag=True,
        help="Go on from OUTPUT.checkpoint, which a path that was cut off has "
        "left behind.",
    ),
    click.option(
        "--rotate-crystals",
        is_flag=True,
        help="Turn the orientations of crystals that slip after every increment.",
    ),
)
"""--finite, --F, --P, --path, --increments, --time-tolerance, --every, --restart,
--rotate-crystals."""


def take_path_options(given: dict[str, Any]) -> PathOptions:
    """Take the values of `path_options` out of all that were given."""
    names = [field.name for field in fields(PathOptions)]
    return PathOptions(**{name: given.pop(name) for name in names})


def march_along(
    body: Microstructure,
    path: Path,
    method: dict[str, Any],
    given: PathOptions,
    output: str,
    fields: tuple[str, ...],
    as_json: bool,
) -> int:
    """Solve a load path, write `fields` and print it; return the exit code."""
    options = {
        "time_tolerance": given.time_tolerance,
        "rotate_crystals": given.rotate_crystals,
    }
    march = March(body, path, **options, **method)
    record = None
    if given.file is not None:
        from fftmech.simulations.march_record import Record

        record = Record(march, output, given.every or 1, fields)
        if given.restart:
            record.restart()
    with increment_bar(march) as progress:
        for _ in (record or march).points(progress):
            pass
    if record is None:
        result, written = march.result(), {"output": output}
        write_result(output, result, fields)
    else:
        result, written = record.result, record.written
        if written and "picture" not in written:
            remedy = 'pip install "fftmech[viz]"'
            print_notes([f"no Matplotlib, no curve; {remedy}"])
    advice = result.advice
    if record and advice:
        kept = f"{output} holds what was before" if written else "nothing is written"
        advice = f"{advice}; {kept}"
    failed = 0 if march.failed is None else march.failed.cuts
    counts = {
        "steps": march.state.step,
        "increments": len(march.state.points),
        "iterations": result.iterations,
        "linear_iterations": result.linear_iterations,
        "cuts": failed + sum(point.cuts for point in march.state.points),
    }
    more: dict[str, Any] = {}
    if march.estimates_time:
        more["time_errors"] = [point.time_error for point in march.state.points]
    turns = ""
    if march.rotate_crystals:
        more["largest_turn"] = march.largest_turn
        turns = f"; crystals turned by up to {march.largest_turn:.3g} degrees"
    listed = ", ".join(
        f"{n} {name.removesuffix('s') if n == 1 else name}"
        for name, n in counts.items()
        if name != "linear_iterations"
    )
    seconds = result.times["setup"] + result.times["solve"]
    report(
        result,
        f"{result.status}: {listed}, {seconds:.2f} s; residual "
        f"{result.residual:.1e}{turns}",
        {"status": result.status, **counts, **more},
        written,
        as_json,
    )
    return exit_code(result.status, result.residual, advice)


def _refuse(options: dict[str, Any], why: str, remedy: str = "leave it out") -> None:
    for name, value in options.items():
        if value:
            raise InputError(f"{name} {why}: {remedy}")
