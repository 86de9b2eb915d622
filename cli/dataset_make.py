"""`fftmech dataset polycrystal`, `pores` and `composites`: make a dataset."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from fftmech.datasets.composites import CompositesRecipe
from fftmech.datasets.draft import new_card
from fftmech.datasets.images import ImagesRecipe
from fftmech.datasets.loading import MODES, Loading
from fftmech.datasets.make import make
from fftmech.datasets.polycrystal import PolycrystalRecipe, creep_constants
from fftmech.datasets.pores import PoresRecipe
from fftmech.datasets.recipe import Recipe
from fftmech.errors import InputError
from fftmech_cli.boundary import boundary_option, parse_boundary
from fftmech_cli.dataset_run import finish, run_options, take_run
from fftmech_cli.generated import crystal_options, matrix_option
from fftmech_cli.load import load_options, take_load
from fftmech_cli.method import method_options, take_method
from fftmech_cli.numbers import Numbers
from fftmech_cli.options import json_option, options, output_option
from fftmech_cli.source import reading_options

_READING = ("dataset", "axes", "threshold", "shape", "dtype", "spacing")


make_options = options(
    output_option(
        "Folder of the dataset; one that this command began is continued.", "DIR"
    ),
    click.option(
        "--count",
        required=True,
        type=click.IntRange(1, 10**7),
        help="Number of samples.",
    ),
    click.option(
        "--res",
        type=click.IntRange(min=1),
        default=64,
        show_default=True,
        help="High resolution: voxels of an edge.",
    ),
    click.option(
        "--low-res",
        default="32",
        show_default=True,
        type=Numbers("N[,N...]", int),
        help="Low resolutions, divisors of --res; the lowest is solved in "
        "every sample, the others in those for the test.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(min=0),
        help="Another number, other bodies.  [default: 0; with --splits one that "
        "follows from them, so that datasets split differently share no body]",
    ),
    click.option(
        "--loads",
        default="fixed",
        show_default=True,
        type=click.Choice(MODES),
        help="One load for all; six random mean strains of unit norm for each "
        "sample; or all six unit strains.",
    ),
    load_options("as above"),
    boundary_option,
    click.option(
        "--splits",
        type=Numbers("TRAIN,VAL,TEST", int),
        help="Samples for training, validation and test, in parts.  [default: "
        "80,10,10; polycrystal 73,25,2]",
    ),
    click.option(
        "--shard",
        type=Numbers("I/N", int),
        help="Only the I-th of N parts, for job arrays; fftmech dataset merge "
        "puts them together.",
    ),
    click.option("--licence", help="Licence of the data, for its card."),
    click.option("--cite", "citation", help="How to cite it, for its card."),
    partial(method_options, scheme="rotated, which networks need"),
    run_options,
    json_option,
)
"""Add what all kinds of datasets share."""


@click.command()
@make_options
@click.option(
    "--grains",
    type=Numbers("N|LOW,HIGH", int),
    help="Number of grains, or the least and the largest.  [default: 21,28, mean 24]",
)
@click.option(
    "--sizes",
    type=Numbers("MU,SIGMA"),
    help="Mean and standard deviation of the logarithm of the grains' equivalent "
    "diameters.  [default: -0.788,0.0998]",
)
@crystal_options
@click.option(
    "--materials",
    type=click.Path(),
    metavar="FILE",
    help="Viscoplastic crystals: materials file whose [default] is crystal_creep "
    "without hardening; solved by dual.",
)
def polycrystal(materials: str | None, **options: Any) -> int:
    """Steel polycrystals of 21 to 28 grains, stretched along x.

    The load is --uniaxial xx=8e-5 unless another is given; with --materials strain
    rates, xx = rate0 and yy = zz = -rate0 / 2.

    \b
    fftmech dataset polycrystal -o grains --count 1000
    fftmech dataset polycrystal -o creep --count 300 --materials copper.toml
    """
    names = ("grains", "sizes", "cubic", "phases")
    names += ("fibre", "direction", "peak", "spread")
    given = _take(options, names)
    if len(given.get("grains", ())) == 1:
        given["grains"] *= 2
    if materials is not None:
        given["creep"] = creep_constants(materials)
    return _make(PolycrystalRecipe(**given), **options)


@click.command()
@make_options
@click.option(
    "--fraction",
    type=Numbers("LOW,HIGH"),
    help="Least and largest volume fraction.  [default: 0.002,0.02]",
)
@matrix_option("113.8,0.342")
@click.option(
    "--from-images",
    type=click.Path(),
    metavar="FOLDER",
    help="Cut the pores from the images in this folder.",
)
@click.option(
    "--pore",
    type=Numbers("ID[,ID...]", int),
    help="Of images: phases that are pores.  [default: 0]",
)
@click.option(
    "--smallest",
    type=click.IntRange(min=1),
    help="Of images: voxels that a pore must have.  [default: 200]",
)
@click.option(
    "--connectivity",
    type=click.Choice([6, 18, 26]),
    help="Of images: neighbours that belong to one pore.  [default: 6]",
)
@click.option(
    "--margin",
    type=float,
    help="Of images: solid between a pore's longest extent and either face, in parts "
    "of the edge.  [default: 0.25]",
)
@click.option(
    "--window",
    type=click.IntRange(min=1),
    help="Of images: cut windows of this many voxels, phases as they are, instead of "
    "single pores.",
)
@reading_options
def pores(from_images: str | None, fraction, matrix, **options: Any) -> int:
    """Single pores of additive manufacturing in Ti-6Al-4V, stretched along z.

    The load is --uniaxial zz=1e-3 unless another is given.

    \b
    fftmech dataset pores -o pores --count 200 --res 128 --low-res 64
    fftmech dataset pores -o rock --count 100 --from-images ct --threshold 0
    """
    names = ("pore", "smallest", "connectivity", "margin", "window", "materials")
    given = _take(options, (*names, *_READING))
    E, nu = matrix
    if from_images is None:
        if given:
            name = next(iter(given))
            raise InputError(f"--{name} is for images: add --from-images FOLDER")
        fractions = {"fraction": fraction} if fraction else {}
        return _make(PoresRecipe(E=E, nu=nu, **fractions), **options)
    if fraction:
        raise InputError(
            "--fraction with --from-images: pores fill their cubes as --margin says"
        )
    recipe = ImagesRecipe.from_folder(from_images, E=E, nu=nu, **given)
    return _make(recipe, **options)


@click.command()
@make_options
@click.option(
    "--shape",
    "shapes",
    multiple=True,
    type=click.Choice(CompositesRecipe.shapes),
    help="Shape of the inclusions; repeat it for several classes.  [default: all]",
)
@click.option(
    "--fraction",
    type=Numbers("LOW,HIGH"),
    help="Least and largest volume fraction.  [default: 0.05,0.35]",
)
@click.option(
    "--contrast",
    type=Numbers("LOW,HIGH"),
    help="Least and largest ratio of Young's moduli.  [default: 2,1000]",
)
@matrix_option("3,0.35")
def composites(**options: Any) -> int:
    """Particles and fibres in a softer matrix, stretched along x.

    The load is --uniaxial xx=1e-3 unless another is given.

    Example: fftmech dataset composites -o composites --count 1000
    """
    options["shapes"] = options["shapes"] or None
    given = _take(options, ("shapes", "fraction", "contrast", "matrix"))
    return _make(CompositesRecipe(**given), **options)


def _take(options: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Take those of some options that were given."""
    taken = {name: options.pop(name) for name in names}
    return {name: value for name, value in taken.items() if value is not None}


def _make(
    recipe: Recipe,
    output: str,
    res: int,
    low_res: tuple[int, ...],
    as_json: bool,
    **options: Any,
) -> int:
    """Make a dataset as the options of `make_options` say."""
    run = take_run(options)
    card = new_card(
        recipe,
        levels=(res, *(low for low in low_res if low != res)),
        loading=_loading(recipe, options),
        parts=options.pop("splits"),
        **take_method(options),
        **options,
    )
    return finish(
        output, as_json, lambda progress: make(output, card, progress=progress, **run)
    )


def _loading(recipe: Recipe, options: dict[str, Any]) -> Loading:
    loads, faces = options.pop("loads"), parse_boundary(options.pop("boundary"))
    load = take_load(options)
    if loads == "fixed":
        return Loading("fixed", load or recipe.load, faces)
    if load:
        raise InputError(f"--loads {loads} with a load ({load}): leave one of them out")
    return Loading(loads, boundary=faces)
