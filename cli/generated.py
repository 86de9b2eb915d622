"""Commands that make a microstructure: their options, the file, its summary."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from fftmech import Microstructure
from fftmech.io import check_writable, write
from fftmech.microstructure import parse_resolution
from fftmech_cli.numbers import Numbers
from fftmech_cli.options import force_option, json_option, options, output_option
from fftmech_cli.rim import check_output, print_json

UNITS = {"stress": "GPa", "length": "box edge"}
"""What the numbers of a generated microstructure mean."""

LISTED = 4
"""Phases whose fractions the summary lists one by one."""


common_options = options(
    output_option("File to write (.h5 or .vtkhdf).", "FILE"),
    click.option(
        "--res",
        default="64",
        show_default=True,
        metavar="N|NX,NY,NZ",
        help="Voxels along each axis; one voxel in z is 2-D.",
    ),
    click.option(
        "--seed",
        default=0,
        show_default=True,
        type=click.IntRange(min=0),
        help="Seed of the random numbers; the same seed, the same file.",
    ),
    force_option,
    json_option,
)
"""Add -o, --res, --seed, --force and --json."""


crystal_options = options(
    click.option(
        "--cubic",
        default="204.6,137.7,126.2",
        show_default=True,
        type=Numbers("C11,C12,C44"),
        help="Crystal stiffness (GPa); the default is austenitic steel.",
    ),
    click.option(
        "--phase",
        "phases",
        multiple=True,
        type=Numbers("C11,C12,C44,FRACTION"),
        help="Another cubic crystal (GPa) and its volume fraction; repeat it.",
    ),
    click.option(
        "--fibre",
        type=click.Choice(["x", "y", "z"]),
        help="Fibre texture around this axis.  [default: uniformly random "
        "orientations]",
    ),
    click.option(
        "--direction",
        type=Numbers("H,K,L"),
        help="Crystal direction of the fibre.  [default: 0,0,1]",
    ),
    click.option(
        "--peak",
        type=Numbers("PHI1,PHI,PHI2"),
        help="Instead of a fibre: the Bunge angles, degrees, around which orientations "
        "gather.",
    ),
    click.option(
        "--spread",
        type=float,
        help="Standard deviation about each axis across the fibre, or about each axis "
        "of the peak, degrees.  [default: 10]",
    ),
)
"""Add --cubic, --phase, --fibre, --direction, --peak and --spread."""


def matrix_option(default: str) -> Callable:
    """Option --matrix."""
    return click.option(
        "--matrix",
        default=default,
        show_default=True,
        type=Numbers("E,NU"),
        help="Young's modulus (GPa) and Poisson's ratio of the matrix.",
    )


def generator(make: Callable[..., Microstructure]) -> Callable:
    """Turn a function of shape, seed and options into a command that writes a file."""

    @wraps(make)
    def command(
        output: str, res: str, seed: int, force: bool, as_json: bool, **options: Any
    ) -> None:
        check_output(output, force)
        check_writable(output)
        made = make(parse_resolution(res), seed, **options)
        write(output, made.check().with_changes(units=UNITS))
        _show(output, made, as_json)

    return common_options(command)


def _show(output: str, made: Microstructure, as_json: bool) -> None:
    """Say in one line what is in the file."""
    shape, phases, fractions = made.grid.shape, made.phases, made.fractions
    if as_json:
        print_json(
            {
                "output": output,
                "shape": list(shape),
                "voxels": made.grid.voxels,
                "phases": [
                    {"id": int(p), "fraction": float(fractions[p])} for p in phases
                ],
            }
        )
        return
    if len(phases) <= LISTED:
        listed = ", ".join(f"{fractions[p]:.4g}" for p in phases)
    else:
        listed = f"{fractions[phases].min():.4g} to {fractions[phases].max():.4g}"
    click.echo(
        f"{output}: {' x '.join(map(str, shape))} voxels, {len(phases)} phases, "
        f"volume fractions {listed}"
    )
