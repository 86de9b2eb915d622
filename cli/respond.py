"""`ecosr respond`: the nonlinear response of a trained network along a load path."""

from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from fftmech import InputError, March, Microstructure
from fftmech import Path as LoadPath
from fftmech.datasets.stiffness_pairs import phase_digest
from fftmech.figures import save_figure
from fftmech.io.load_path import read_path
from fftmech.simulations.stress_strain_curve import StressStrainCurve
from fftmech_cli.means import by_component
from fftmech_cli.options import force_option, json_option
from fftmech_cli.progress import increment_bar, progress_bar
from fftmech_cli.rim import (
    NOT_CONVERGED,
    Finite,
    check_output,
    print_json,
    print_notes,
    show,
    table,
)
from fftmech_cli.source import load_microstructure

if TYPE_CHECKING:
    from ecosurrogate.response.network import PathResponse
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
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(),
    metavar="FILE",
    help="Table of the response (.csv); a picture (.png) is beside it.",
)
@click.option(
    "--against",
    type=click.Path(),
    metavar="MICRO",
    help="Solve the same path on this body too, and say what the error is.",
)
@click.option(
    "--temperature",
    type=Finite(),
    default=0.0,
    help="Temperature change that drives thermal expansion.  [default: 0]",
)
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
    its phases, with no new training.

    Example: ecosr respond run --materials m.toml --path cycle.toml -o cycle.csv
    """
    # here, because --help needs no compiler
    from ecosurrogate.response.comparison import ResponseError, response_figure
    from ecosurrogate.response.network import Network
    from ecosurrogate.response.trained_network import TrainedNetwork

    files = {"output": Path(output)}
    files["picture"] = files["output"].with_suffix(".png")
    if against is not None:
        name = files["output"].stem + "-solver.csv"
        files["solver"] = files["output"].with_name(name)
    if files["output"] == files["picture"]:
        raise InputError(f"-o {output}", "a table", "end its name in .csv")
    for file in files.values():
        check_output(file, force)
    trained = TrainedNetwork.read(run)
    path = read_path(path_file)
    body = trained.body(materials)
    network = Network(trained.tree, body, temperature=temperature)
    network.prepare()
    with progress_bar("Responding", counted=True) as report:
        found = network.respond(path, progress=lambda n, of: report(n, of, ""))
    strain = max((abs(p.mean_strain).max() for p in found.points), default=0.0)
    notes = [*body.notes, *trained.doubts(body, float(strain))]
    print_notes(notes)
    curve = StressStrainCurve(found.points, units=body.units)
    curve.write(files["output"])
    right = None
    document: dict[str, Any] = {}
    if against is not None:
        solved = load_microstructure(against, materials=materials)
        if phase_digest(solved) != trained.data["sha256_phase"]:
            other = f"{against} has other voxels than the network was trained on"
            print_notes([other])
            notes.append(other)
        march, seconds = _march(trained, solved, path, temperature)
        right = StressStrainCurve(march.state.points, units=body.units)
        right.write(files["solver"])
        error = ResponseError.of(found.points, right.points)
        document["against"] = {
            "status": march.status,
            "time": seconds,
            **error.as_dict(),
        }
    with suppress(InputError):
        save_figure(response_figure(curve, right), files["picture"])
    written = {name: str(file) for name, file in files.items() if file.exists()}
    _tell(found, body, document, written, notes, as_json)
    if found.status != "converged":
        click.echo(f"Error: {found.status}: {found.advice}", err=True)
        return NOT_CONVERGED
    if document and document["against"]["status"] != "converged":
        click.echo(f"Error: the solver: {march.advice}", err=True)
        return NOT_CONVERGED
    return 0


def _march(
    trained: "TrainedNetwork",
    body: Microstructure,
    path: LoadPath,
    temperature: float,
) -> tuple[March, float]:
    """Solve the path on a body, with the scheme of the training; seconds without setup.

    The first increment is in them, but not the compilation of kernels.
    """
    march = March(body, path, temperature=temperature, scheme=trained.scheme)
    started = perf_counter()
    with increment_bar(march) as progress:
        for _ in march.points(progress):
            pass
    return march, perf_counter() - started


def _tell(
    found: "PathResponse",
    body: Microstructure,
    document: dict[str, Any],
    written: dict[str, str],
    notes: list[str],
    as_json: bool,
) -> None:
    """Print the outcome."""
    state, count = found.state, len(found.points)
    strain, stress = state.mean_strain[:, 0], state.mean_stress[:, 0]
    if as_json:
        print_json(
            {
                "status": found.status,
                "increments": count,
                "iterations": sum(p.iterations for p in found.points),
                "cuts": sum(p.cuts for p in found.points),
                "mean_strain": by_component(strain),
                "mean_stress": by_component(stress),
                "time": found.seconds,
                "notes": notes,
                **document,
                **written,
            }
        )
        return
    milliseconds = 1e3 * found.seconds / max(count, 1)
    click.echo(
        f"{found.status}: {count} increments, {found.seconds:.3g} s, "
        f"{milliseconds:.2g} ms each"
    )
    unit = body.units.get("stress")
    rows = table("", "mean strain", f"mean stress{f' ({unit})' if unit else ''}")
    own = by_component(strain), by_component(stress)
    for name in own[0]:
        rows.add_row(name, *(f"{values[name]:.6g}" for values in own))
    show("Volume averages at the end; tensor components", rows)
    if document:
        against = document["against"]
        parts = against["components"].items()
        listed = ", ".join(f"{c} {100 * x:.2g} %" for c, x in parts if x > 5e-4)
        listed = listed or "each component below 0.05 %"
        ratio = against["time"] / max(found.seconds, 1e-9)
        click.echo(
            f"against the solver, of its largest stress: mean error "
            f"{100 * against['mean']:.2g} %, largest {100 * against['max']:.2g} % over "
            f"{against['increments']} increments ({listed}); it"
            f" took {against['time']:.3g} s, {ratio:.0f} times as long"
        )
    click.echo(f"wrote {', '.join(written.values())}")
