"""`fftmech generate`: make a microstructure and write it."""

from typing import Any

import click

from fftmech import InputError, Microstructure
from fftmech.materials import elastic
from fftmech.materials.elastic import PORE, isotropic
from fftmech.microstructure import inclusions, laminate, polycrystal, pores, single_pore
from fftmech.microstructure.pores import KINDS
from fftmech.microstructure.resolution import Resolution
from fftmech.microstructure.texture import texture_of
from fftmech_cli.generated import crystal_options, generator, matrix_option
from fftmech_cli.numbers import Numbers


@click.group()
def generate() -> None:
    """Make a laminate, inclusions, pores or a polycrystal.

    Lengths are in units of the longest edge of the box, stresses in GPa.
    """


@generate.command("laminate")
@generator
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
def laminate_command(shape: Resolution, seed: int, layers, axis: str) -> Microstructure:
    """Plane layers across one axis (nothing here is random).

    Example: fftmech generate laminate -o laminate.h5 --res 10,1,1
    --layer 1,29.3333,0.3333 --layer 9,2.6667,0.3333
    """
    stack = [(thickness, isotropic(E=E, nu=nu)) for thickness, E, nu in layers]
    return laminate(shape, stack, axis)


@generate.command("inclusions")
@generator
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
@matrix_option("3,0.35")
@click.option(
    "--contrast",
    type=click.FloatRange(min=0, max=1e12, min_open=True),
    help="Young's modulus of the inclusions over the matrix's.  [default: 10]",
)
@click.option("--pore", is_flag=True, help="Empty inclusions.")
def inclusions_command(
    shape: Resolution,
    seed: int,
    fraction: float,
    radius,
    aspect,
    matrix,
    contrast: float | None,
    pore: bool,
) -> Microstructure:
    """Spheres, ellipsoids or short fibres that do not touch.

    Example: fftmech generate inclusions -o fibres.h5 --fraction 0.1 --radius 0.04
    --aspect 1,1,6 --contrast 24
    """
    if pore and contrast is not None:
        raise InputError(f"--pore and --contrast {contrast:g}: give one of them")
    E, nu = matrix
    return inclusions(
        shape,
        fraction,
        radius[0] if len(radius) == 1 else radius,
        isotropic(E=E, nu=nu),
        PORE if pore else isotropic(E=(contrast or 10.0) * E, nu=nu),
        aspect,
        seed,
    )


@generate.command("pores", short_help="Irregular pores in a solid.")
@generator
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
    "--fraction", type=float, help="Volume fraction of all pores.  [default: 0.01]"
)
@click.option(
    "--radius",
    type=float,
    help="Instead, for a single pore: radius of the sphere of its volume.",
)
@matrix_option("113.8,0.342")
def pores_command(
    shape: Resolution,
    seed: int,
    kind: str,
    count: int,
    fraction: float | None,
    radius: float | None,
    matrix,
) -> Microstructure:
    """Irregular pores of additive manufacturing in a solid (default: Ti-6Al-4V).

    Example: fftmech generate pores -o keyholes.h5 --kind keyhole --count 12
    --fraction 0.03
    """
    E, nu = matrix
    solid = isotropic(E=E, nu=nu)
    if count == 1 and kind != "mixed":
        if fraction is None and radius is None:
            fraction = 0.01
        return single_pore(shape, kind, fraction, radius, solid, seed)
    if radius is not None:
        raise InputError(
            f"--radius {radius:g} with several pores: give --fraction of all of them"
        )
    return pores(
        shape, 0.01 if fraction is None else fraction, count, kind, solid, seed
    )


@generate.command("polycrystal")
@generator
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
@crystal_options
def polycrystal_command(
    shape: Resolution,
    seed: int,
    grains: int | None,
    sizes,
    periodic: bool,
    cubic,
    phases,
    **texture: Any,
) -> Microstructure:
    """Grains of one crystal or of several, each with its orientation.

    Example: fftmech generate polycrystal -o micro.h5 --res 64 --grains 24 --seed 0
    """
    return polycrystal(
        shape,
        24 if grains is None and sizes is None else grains,
        seed,
        sizes,
        periodic,
        elastic.cubic(*cubic),
        texture_of(**texture),
        [(elastic.cubic(*constants), fraction) for *constants, fraction in phases],
    )
