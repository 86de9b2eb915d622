"""Options that say how a problem is solved, and notes on memory and speed."""

from collections.abc import Callable
from typing import Any, cast

import click

from fftmech import SCHEMES, SOLVERS, Grid
from fftmech.simulations.method import (
    LINEAR,
    NONLINEAR,
    RIGID,
    Method,
    MethodOptions,
    check_memory,
)
from fftmech.solvers import NONLINEAR_SOLVERS
from fftmech_cli.options import options
from fftmech_cli.rim import Finite


def take_method(given: dict[str, Any]) -> dict[str, Any]:
    """Take the values of `method_options` and of single options out of all given."""
    return {
        key: given.pop(key) for key in MethodOptions.__annotations__ if key in given
    }


def method_options(
    command: Callable,
    nonlinear: bool = False,
    scheme: str = LINEAR["scheme"],
) -> Callable:
    """Add --scheme, --solver, --tol, --max-iterations, --precision.

    Scheme and solver are None where they are not named; help says what they are then,
    for bodies that may be `nonlinear` too.
    """

    def default(name: str) -> str:
        text = {**LINEAR, "scheme": scheme}[name]
        if RIGID[name] != LINEAR[name]:
            text += f"; {RIGID[name]} where a phase is rigid"
        if nonlinear:
            text += f"; {NONLINEAR[name]} where the body is nonlinear or has a path"
        return f"  [default: {text}]"

    solvers = dict.fromkeys((*SOLVERS, *(NONLINEAR_SOLVERS if nonlinear else ())))
    add = options(
        click.option(
            "--scheme",
            type=click.Choice(list(SCHEMES)),
            help="Discretization of the derivative." + default("scheme"),
        ),
        click.option(
            "--solver",
            type=click.Choice(list(solvers)),
            help="Iterative method. All have the strain for their unknown, but dual: "
            "the stress, in equilibrium at every iteration." + default("solver"),
        ),
        click.option(
            "--tol",
            "tolerance",
            type=float,
            help="Relative equilibrium residual to reach; the stress is right to 200 "
            "times it.  [default: 1e-6; in single precision 1e-5, more on axes of over "
            "500 voxels]",
        ),
        click.option("--max-iterations", type=int, default=1000, show_default=True),
        click.option(
            "--precision",
            type=click.Choice(["double", "single"]),
            default="double",
            show_default=True,
        ),
    )
    return add(command)


energy_option = click.option(
    "--tol-energy",
    "energy_tolerance",
    type=float,
    help="Instead of --tol: stop when the certificate says that the relative error, in "
    "the norm of energy, is below this.",
)

device_option = click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True
)

temperature_option = click.option(
    "--temperature",
    type=Finite(),
    default=0.0,
    help="Temperature change that drives thermal expansion.  [default: 0]",
)

threads_option = click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Threads.  [default: as many as processors, one on small grids]",
)
"""Of commands that solve one body; those that solve many have processes."""


def memory_check(**method: Any) -> Callable[[Grid], None]:
    """Return a function that refuses a grid whose solve does not fit the memory."""
    method.pop("temperature", None)
    asked = Method.of(cast(MethodOptions, method))
    return lambda grid: check_memory(asked, grid)


def note_speed(grid: Grid, times: dict[str, float]) -> None:
    """Print what made a solve slow: kernels compiled, numbers of voxels."""
    if times["compile"] > 1:
        click.echo(
            f"{times['compile']:.1f} s of it compiled kernels, which are kept for the "
            "next run"
        )
    for n in grid.awkward:
        click.echo(f"FFTs are slow along {n} voxels: {n} has a large prime factor")
