"""`fftmech dataset stiffness`: effective stiffness for random stiffnesses of phases."""

from typing import Any

import click

from fftmech import SCHEMES
from fftmech.datasets.make import allowed_failures
from fftmech.datasets.stiffness import make_pairs
from fftmech.datasets.stiffness_draw import Pairs
from fftmech.datasets.stiffness_pairs import StiffnessPairs
from fftmech.simulations.method import NONLINEAR
from fftmech_cli.dataset_run import sample_bar
from fftmech_cli.generated import output_option
from fftmech_cli.numbers import Numbers
from fftmech_cli.options import json_option
from fftmech_cli.rim import INTERRUPTED, NOT_CONVERGED, print_json
from fftmech_cli.source import load_microstructure, resolution_options, source_options


@click.command("stiffness")
@source_options
@resolution_options
@output_option(
    "DIR", "Folder of the dataset; one that this command began is continued."
)
@click.option(
    "--count", required=True, type=click.IntRange(1, 10**6), help="Number of pairs."
)
@click.option(
    "--contrast",
    default="1e-3,1e3",
    show_default=True,
    type=Numbers("LOW,HIGH"),
    help="Least and largest ratio of the phases' mean moduli.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--scheme",
    type=click.Choice(list(SCHEMES)),
    default=NONLINEAR["scheme"],
    show_default=True,
    help="Discretization; the default is that of fftmech solve --path.",
)
@click.option(
    "--tol",
    "tolerance",
    type=float,
    default=1e-4,
    show_default=True,
    help="Relative equilibrium residual; the stiffness is right to its square.",
)
@click.option("--max-iterations", type=int, default=2000, show_default=True)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Processes.  [default: as many as processors]",
)
@json_option
def stiffness_command(
    source: str,
    output: str,
    count: int,
    contrast: tuple[float, float],
    seed: int,
    scheme: str,
    tolerance: float,
    max_iterations: int,
    jobs: int | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Effective stiffness of SOURCE for random orthotropic phases.

    What `ecosr fit --model dmn` learns from. A pore stays one; other stiffnesses of
    SOURCE play no part.

    Example: fftmech dataset stiffness spheres.h5 --res 24 -o pairs --count 400
    """
    pairs = Pairs(seed, contrast, scheme, tolerance, max_iterations)
    body = load_microstructure(source, **options)
    try:
        with sample_bar("Solving pairs") as progress:
            made = make_pairs(body, output, count, pairs, jobs=jobs, progress=progress)
    except KeyboardInterrupt:
        click.echo(
            "Interrupted: pairs that are done are kept, and the same command "
            "continues.",
            err=True,
        )
        return INTERRUPTED
    if as_json:
        print_json({"output": output, **made._asdict()})
    else:
        click.echo(
            f"{output}: {made.done} of {count} pairs, {made.failed} did not converge; "
            f"{made.made} made now"
        )
    if made.failed > allowed_failures(count):
        click.echo(
            f"Error: {made.failed} of {count} pairs did not converge, more than 1 %; "
            "raise --max-iterations in another -o, or narrow --contrast",
            err=True,
        )
        return NOT_CONVERGED
    return 0


def show_pairs(directory: str, as_json: bool) -> None:
    """Print what a dataset of pairs is made of, and how many it has."""
    held = StiffnessPairs.read(directory)
    about = {
        "pairs": len(held.effective),
        "phases": held.phases.tolist(),
        "fractions": held.fractions.tolist(),
        **held.attributes,
    }
    if as_json:
        print_json({"dataset": directory, **about})
        return
    for name, value in about.items():
        click.echo(f"{name}: {value}")
