"""`ecosr respond`: the nonlinear response of a trained network along a load path."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from fftmech import InputError, March, Microstructure
from fftmech import Path as LoadPath
from fftmech.figures import save_figure
from fftmech.io.load_path import read_path
from fftmech.simulations.remarks import doubts
from fftmech.simulations.stress_strain_curve import StressStrainCurve
from fftmech_cli.method import temperature_option
from fftmech_cli.options import force_option, json_option, output_option
from fftmech_cli.progress import increment_bar, progress_bar
from fftmech_cli.rim import (
    NOT_CONVERGED,
    check_output,
    print_json,
    print_notes,
    show,
    table,
)
from fftmech_cli.source import body_reader

if TYPE_CHECKING:
    from ecosurrogate.response.comparison import ResponseError
    from ecosurrogate.response.response import Response
    from ecosurrogate.response.trained_network import TrainedNetwork


@click.command()
@click.argument("run", type=click.Path())
@click.option(
    "--materials",
    required=True,
    type=click.Path(),
    metavar="FILE",
    help="Materials file: stiffness and law of each phase.",
)
@click.option(
    "--path",
    "path_file",
    required=True,
    type=click.Path(),
    metavar="FILE",
    help="Load path (TOML), as of fftmech solve --path; small strain.",
)
@output_option(
    "Table of the response (.csv); one network has a picture (.png) beside it.", "FILE"
)
@click.option(
    "--against",
    type=click.Path(),
    metavar="MICRO",
    help="Solve the same path on this body too, and say what the error is; of several "
    "networks a folder of bodies of their names, or one of them.",
)
@temperature_option
@force_option
@json_option
def respond(
    run: str,
    materials: str,
    path_file: str,
    output: str,
    against: str | None,
    temperature: float,
    force: bool,
    as_json: bool,
) -> int:
    """Mean stresses of the network of RUN along a load path, without fields.

    RUN is what `ecosr fit --model dmn` made; any law of small strain goes into any of
    its phases, with no new training. Of a RUN with the networks of several bodies there
    is one table, with a column `body`.

    No certificate: check a new kind of law or path with --against. The path is followed
    once more with halved increments, which says what their size matters.

    Example: ecosr respond run --materials m.toml --path cycle.toml -o cycle.csv
    """
    # here, because --help needs no compiler
    from ecosurrogate.response.trained_network import TrainedNetwork, networks_in

    if not TrainedNetwork.at(run) and networks_in(run):
        from fftmech_cli.respond_many import respond_many

        given = run, materials, path_file, output, against, temperature
        return respond_many(*given, force, as_json)
    from ecosurrogate.response.comparison import response_figure
    from ecosurrogate.response.response import respond as answer

    files = _files(output, against is not None)
    for file in files.values():
        check_output(file, force)
    trained = TrainedNetwork.read(run)
    path = read_path(path_file)
    with progress_bar("Responding", counted=True) as report:
        found = answer(
            trained,
            materials,
            path,
            temperature=temperature,
            progress=lambda n, of: report(n, of, ""),
        )
    print_notes(found.notes)
    found.curve.write(files["output"])
    document = found.as_dict()
    right = None
    if against is not None:
        body = body_reader(materials, tell=lambda *_: None)(against)
        right = solve_path(trained, found, body, path, temperature)
        print_notes(right.notes)
        document["notes"] += right.notes
        right.curve.write(files["solver"])
        document["against"] = right.as_dict()
    with suppress(InputError):
        figure = response_figure(found.curve, right and right.curve)
        save_figure(figure, files["picture"])
    written = {name: str(file) for name, file in files.items() if file.exists()}
    document |= {"fractions": fractions_of(trained), **written}
    if as_json:
        print_json(document)
    else:
        _tell(found.body, document, list(written.values()))
    if found.found.status != "converged":
        return _failed(found.found.status, found.found.advice)
    if right is not None and right.status != "converged":
        return _failed("the solver", right.advice)
    return 0


def _files(output: str, against: bool) -> dict[str, Path]:
    """What is written."""
    files = {"output": Path(output)}
    files["picture"] = files["output"].with_suffix(".png")
    if against:
        files["solver"] = solver_table(files["output"])
    if files["output"] == files["picture"]:
        raise InputError(f"-o {output}", "a table", "end its name in .csv")
    return files


def _failed(what: str, advice: str) -> int:
    click.echo(f"Error: {what}: {advice}", err=True)
    return NOT_CONVERGED


def solver_table(output: Path) -> Path:
    """Name of the solver's table, beside the network's."""
    return output.with_name(f"{output.stem}-solver.csv")


def fractions_of(trained: "TrainedNetwork") -> dict[str, float]:
    """Volume fraction of each phase, for people who wonder which is which."""
    pairs = zip(trained.phases.tolist(), trained.fractions.tolist(), strict=True)
    return {str(phase): fraction for phase, fraction in pairs}


@dataclass(frozen=True)
class SolvedPath:
    """A path that the solver followed beside a network."""

    curve: StressStrainCurve
    error: "ResponseError"
    status: str
    advice: str
    seconds: float
    notes: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"status": self.status, "time": self.seconds, **self.error.as_dict()}


def solve_path(
    trained: "TrainedNetwork",
    found: "Response",
    body: Microstructure,
    path: LoadPath,
    temperature: float,
) -> SolvedPath:
    """Solve a path on a body in the scheme of the training; seconds without setup.

    The first increment is in them, but not the compilation of kernels.
    """
    from ecosurrogate.response.comparison import ResponseError
    from ecosurrogate.response.doubts import differences

    notes = [
        *(f"the body of --against: {n}" for n in body.notes if n not in found.notes),
        *(
            f"the body is not that of the training: {d}"
            for d in differences(trained, body)
        ),
        *(f"the solver: {doubt}" for doubt in doubts(body, trained.scheme)),
    ]
    march = March(body, path, temperature=temperature, scheme=trained.scheme)
    started = perf_counter()
    with increment_bar(march) as progress:
        for _ in march.points(progress):
            pass
    seconds = perf_counter() - started
    points = march.state.points
    error = ResponseError.of(found.found.points, points)
    curve = StressStrainCurve(points, units=found.body.units)
    return SolvedPath(curve, error, march.status, march.advice or "", seconds, notes)


def _tell(body: Microstructure, document: dict[str, Any], written: list[str]) -> None:
    """Print the outcome."""
    count, seconds = document["increments"], document["time"]
    click.echo(
        f"{document['status']}: {count} increments, {seconds:.3g} s, "
        f"{1e3 * seconds / max(count, 1):.2g} ms each"
    )
    if len(document["fractions"]) > 1:
        laws = {str(p): law.name for p, law in body.law.items()}
        listed = (
            f"{p}, {100 * f:.3g} %, {laws.get(p, 'elastic')}"
            for p, f in document["fractions"].items()
        )
        click.echo(f"phases by volume: {'; '.join(listed)}")
    if document["increment_error"] is not None:
        change = 100 * document["increment_error"]
        click.echo(f"halved increments change the mean stress by up to {change:.2g} %")
    unit = body.units.get("stress")
    rows = table("", "mean strain", f"mean stress{f' ({unit})' if unit else ''}")
    strain, stress = document["mean_strain"], document["mean_stress"]
    for name in strain:
        rows.add_row(name, f"{strain[name]:.6g}", f"{stress[name]:.6g}")
    show("Volume averages at the end; tensor components; no certificate", rows)
    if "against" in document:
        against = document["against"]
        parts = against["components"].items()
        listed = ", ".join(f"{c} {100 * x:.2g} %" for c, x in parts if x > 5e-4)
        listed = listed or "each component below 0.05 %"
        ratio = against["time"] / max(seconds, 1e-9)
        if against["increments"]:
            click.echo(
                f"against the solver, of its largest stress: mean error "
                f"{100 * against['mean']:.2g} %, largest {100 * against['max']:.2g} % "
                f"over {against['increments']} increments ({listed}); it"
                f" took {against['time']:.3g} s, {ratio:.0f} times as long"
            )
    click.echo(f"wrote {', '.join(written)}")
