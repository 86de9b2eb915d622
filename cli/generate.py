"""`fftmech generate`: make a microstructure and write it."""

from collections.abc import Callable
from math import isfinite
from typing import Any

import click

from fftmech import InputError, Microstructure
from fftmech.io import check_writable, write
from fftmech.materials.elastic import PORE, cubic, isotropic
from fftmech.microstructure import (
    Fibre,
    inclusions,
    laminate,
    parse_resolution,
    polycrystal,
    pores,
    single_pore,
)
from fftmech.microstructure.pores import KINDS
from fftmech_cli.rim import check_output, print_json

UNITS = {"stress": "GPa", "length": "box edge"}
"""What the numbers of a generated microstructure mean."""

LISTED = 4
"""Phases whose fractions the summary lists one by one."""


class Numbers(click.ParamType):
    """Numbers separated by commas, as many as one of the metavar's forms asks for."""

    def __init__(self, metavar: str) -> None:
        self.name = metavar
        self.counts = [len(form.split(",")) for form in metavar.split("|")]

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[float, ...]:
        """Parse "A,B,C"."""
        try:
            numbers = tuple(float(part) for part in str(value).split(","))
        except ValueError:
            numbers = ()
        if len(numbers) not in self.counts or not all(map(isfinite, numbers)):
            self.fail(f"{value!r}: expected finite numbers {self.name}", param, ctx)
        return numbers


def common_options(command: Callable) -> Callable:
    """Add -o, --res, --seed, --force and --json."""
    for option in reversed(
        (
            click.option(
                "-o",
                "--output",
                required=True,
                type=click.Path(),
                metavar="FILE",
                help="File to write (.h5 or .vtkhdf).",
            ),
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
            click.option("--force", is_flag=True, help="Replace an existing FILE."),
            click.option("--json", "as_json", is_flag=True, help="Summary as JSON."),
        )
    ):
        command = option(command)
    return command


def _matrix_option(default: str) -> Callable:
    return click.option(
        "--matrix",
        default=default,
        show_default=True,
        type=Numbers("E,NU"),
        help="Young's modulus (GPa) and Poisson's ratio of the matrix.",
    )


@click.group()
def generate() -> None:
    """Make a laminate, inclusions, pores or a polycrystal.

    Lengths are in units of the longest edge of the box, stresses in GPa.
    """


@generate.command("laminate")
@common_options
@click.option(
    "--layer",
    "layers",
    required=True,
    multiple=True,
    type=Numbers("T,E,NU"),
    help="A layer's thickness, Young's modulus (GPa) and Poisson's ratio; repeat it. "
    "Thicknesses are fractions that sum to 1, or voxels.",
)
@click.option(
    "--axis",
    default="x",
    show_default=True,
    type=click.Choice(["x", "y", "z"]),
    help="Normal of the layers.",
)
def laminate_command(
    output: str, res: str, seed: int, force: bool, as_json: bool, layers, axis: str
) -> None:
    """Plane layers across one axis (nothing here is random).

    Example: fftmech generate laminate -o laminate.h5 --res 10,1,1
    --layer 1,29.3333,0.3333 --layer 9,2.6667,0.3333
    """
    _check(output, force)
    stack = [(thickness, isotropic(E=E, nu=nu)) for thickness, E, nu in layers]
    _finish(output, laminate(parse_resolution(res), stack, axis), as_json)


@generate.command("inclusions")
@common_options
@click.option(
    "--fraction",
    default=0.2,
    show_default=True,
    type=float,
    help="Volume fraction of the inclusions.",
)
@click.option(
    "--radius",
    default="0.1",
    show_default=True,
    type=Numbers("R|LOW,HIGH"),
    help="Radius, or the ends of a range of radii.",
)
@click.option(
    "--aspect",
    default="1,1,1",
    show_default=True,
    type=Numbers("A,B,C"),
    help="Semi-axes over the radius; 1,1,8 is fibre-like. Turned at random.",
)
@_matrix_option("3,0.35")
@click.option(
    "--contrast",
    type=click.FloatRange(min=0, max=1e12, min_open=True),
    help="Young's modulus of the inclusions over the matrix's.  [default: 10]",
)
@click.option("--pore", is_flag=True, help="Empty inclusions.")
def inclusions_command(
    output: str,
    res: str,
    seed: int,
    force: bool,
    as_json: bool,
    fraction: float,
    radius,
    aspect,
    matrix,
    contrast: float | None,
    pore: bool,
) -> None:
    """Spheres, ellipsoids or short fibres that do not touch.

    Example: fftmech generate inclusions -o fibres.h5 --fraction 0.1 --radius 0.04
    --aspect 1,1,6 --contrast 24
    """
    _check(output, force)
    if pore and contrast is not None:
        raise InputError(f"--pore and --contrast {contrast:g}: give one of them")
    E, nu = matrix
    made = inclusions(
        parse_resolution(res),
        fraction,
        radius[0] if len(radius) == 1 else radius,
        isotropic(E=E, nu=nu),
        PORE if pore else isotropic(E=(contrast or 10.0) * E, nu=nu),
        aspect,
        seed,
    )
    _finish(output, made, as_json)


@generate.command("pores", short_help="Irregular pores in a solid.")
@common_options
@click.option(
    "--kind",
    default="lack-of-fusion",
    show_default=True,
    type=click.Choice([*KINDS, "mixed"]),
    help="Near-spherical, deep and bulbous, or flat and jagged; z is the build "
    "direction.",
)
@click.option(
    "--count",
    default=1,
    show_default=True,
    type=int,
    help="Number of pores; a single one lies at the centre.",
)
@click.option(
    "--fraction",
    type=float,
    help="Volume fraction of all pores.  [default: 0.01]",
)
@click.option(
    "--radius",
    type=float,
    help="Instead, for a single pore: radius of the sphere of its volume.",
)
@_matrix_option("113.8,0.342")
def pores_command(
    output: str,
    res: str,
    seed: int,
    force: bool,
    as_json: bool,
    kind: str,
    count: int,
    fraction: float | None,
    radius: float | None,
    matrix,
) -> None:
    """Irregular pores of additive manufacturing in a solid (default: Ti-6Al-4V).

    Example: fftmech generate pores -o keyholes.h5 --kind keyhole --count 12
    --fraction 0.03
    """
    _check(output, force)
    shape = parse_resolution(res)
    E, nu = matrix
    solid = isotropic(E=E, nu=nu)
    if count == 1 and kind != "mixed":
        if fraction is None and radius is None:
            fraction = 0.01
        made = single_pore(shape, kind, fraction, radius, solid, seed)
    elif radius is not None:
        raise InputError(
            f"--radius {radius:g} with several pores: give --fraction of all of them"
        )
    else:
        share = 0.01 if fraction is None else fraction
        made = pores(shape, share, count, kind, solid, seed)
    _finish(output, made, as_json)


@generate.command("polycrystal")
@common_options
@click.option(
    "--grains",
    type=int,
    help="Number of grains.  [default: 24; with --sizes as many as fill the box]",
)
@click.option(
    "--sizes",
    type=Numbers("MU,SIGMA"),
    help="Lognormal grains: mean and standard deviation of the logarithm of the "
    "diameter of the sphere of equal volume.  [default: Voronoi grains]",
)
@click.option(
    "--periodic/--no-periodic",
    default=True,
    show_default=True,
    help="Whether grains continue through the faces of the box.",
)
@click.option(
    "--cubic",
    "constants",
    default="204.6,137.7,126.2",
    show_default=True,
    type=Numbers("C11,C12,C44"),
    help="Crystal stiffness (GPa); the default is austenitic steel.",
)
@click.option(
    "--fibre",
    type=click.Choice(["x", "y", "z"]),
    help="Fibre texture around this axis.  [default: uniformly random orientations]",
)
@click.option(
    "--direction",
    type=Numbers("H,K,L"),
    help="Crystal direction of the fibre.  [default: 0,0,1]",
)
@click.option(
    "--spread", type=float, help="Spread of the fibre, degrees.  [default: 10]"
)
def polycrystal_command(
    output: str,
    res: str,
    seed: int,
    force: bool,
    as_json: bool,
    grains: int | None,
    sizes,
    periodic: bool,
    constants,
    fibre: str | None,
    direction,
    spread: float | None,
) -> None:
    """Grains of one crystal, each with its orientation.

    Example: fftmech generate polycrystal -o micro.h5 --res 64 --grains 24 --seed 0
    """
    _check(output, force)
    texture = None
    if fibre:
        spread = 10.0 if spread is None else spread
        texture = Fibre(fibre, spread, direction or (0.0, 0.0, 1.0))
    elif direction or spread is not None:
        raise InputError("--direction and --spread shape a fibre: add --fibre x|y|z")
    C11, C12, C44 = constants
    made = polycrystal(
        parse_resolution(res),
        24 if grains is None and sizes is None else grains,
        seed,
        sizes,
        periodic,
        cubic(C11, C12, C44),
        texture,
    )
    _finish(output, made, as_json)


def _check(output: str, force: bool) -> None:
    check_output(output, force)
    check_writable(output)


def _finish(output: str, made: Microstructure, as_json: bool) -> None:
    """Write the file and say in one line what is in it."""
    write(output, made.check().with_changes(units=UNITS))
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
