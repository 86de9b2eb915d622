"""Cards of new datasets, with defaults filled in, and checks before any work."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fftmech.arrays.memory import check_bytes
from fftmech.datasets import RECIPES
from fftmech.datasets.card import METHOD, Card
from fftmech.datasets.loading import Loading
from fftmech.datasets.recipe import UNITS, Recipe
from fftmech.datasets.splits import check_parts, default_seed
from fftmech.discretization import discretization
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.resample import resample
from fftmech.results.result import check_rotation
from fftmech.simulations.mechanisms import check_load
from fftmech.simulations.method import Method
from fftmech.simulations.prepare import check_boundary
from fftmech.solvers import get_solver
from fftmech.version import __version__

CITATION = (
    "Made with fftmech {version}. The polycrystals and pores follow the data of "
    "V. Oommen, A. E. Robertson et al., Equilibrium Conserving Neural Operators for "
    "Super-Resolution Learning, 2025."
)

BUILT_ON = ("numpy", "scipy", "h5py", "numba")
"""Packages whose versions a card names."""

TRIES = 3
"""Bodies of which one must be sound before a dataset is begun."""


def new_card(
    recipe: Recipe,
    count: int,
    levels: tuple[int, ...],
    *,
    loading: Loading | None = None,
    parts: tuple[int, int, int] | None = None,
    **options: Any,
) -> Card:
    """Card of a new dataset; the load and the parts are the recipe's unless given.

    Bodies of boxes with faces (`loading.boundary`) are not periodic either, where the
    recipe has such. InputError where faces do not go with the load or the method.

    Options are those of `fftmech.solve` with names in `METHOD`, and seed, shard, units,
    licence and citation of `Card`. Without a seed it is 0, or with other parts than the
    recipe's a number that follows from them (`default_seed`).
    """
    from importlib.metadata import version

    if not levels or min(levels) < 1:
        raise InputError(f"resolutions {levels}", "whole numbers of at least 1")
    grid = Grid((levels[0], levels[0], levels[0]))
    given = {name: options.pop(name) for name in METHOD if name in options}
    parts = check_parts(recipe.parts if parts is None else parts)
    seed = options.pop("seed", None)
    recipe = recipe.divided(parts)
    loading = loading or Loading("fixed", recipe.load)
    method = _checked_method(given, grid, recipe.nonlinear)
    if loading.boundary is not None:
        recipe = recipe.within(loading.periodic)
        low = Grid((levels[-1], levels[-1], levels[-1]))
        check_boundary(low, loading.boundary, Method(**method))
        check_rotation(method["scheme"])
    parameters = asdict(recipe)  # pyright: ignore[reportArgumentType]
    if parameters.get("creep", ...) is None:
        # so that datasets of versions that did not have it can be continued
        del parameters["creep"]
    return Card(
        kind=recipe.kind,
        parameters=parameters,
        count=count,
        levels=levels,
        loading=loading,
        method=method,
        parts=parts,
        seed=default_seed(parts, recipe.parts) if seed is None else seed,
        units=options.pop("units", UNITS),
        citation=options.pop("citation", None) or CITATION.format(version=__version__),
        versions={"fftmech": __version__, **{name: version(name) for name in BUILT_ON}},
        **options,
    )


def _checked_method(
    given: Mapping[str, Any], grid: Grid, nonlinear: bool
) -> dict[str, Any]:
    """Options of `fftmech.solve` for this grid, with defaults where none is given."""
    options = {
        # networks need strain and stress at one point of a voxel
        "scheme": "rotated",
        "solver": "dual" if nonlinear else "cg",
        "tolerance": None,
        "max_iterations": 1000,
        "precision": "double",
        **{name: value for name, value in given.items() if value is not None},
    }
    discretization(options["scheme"])
    get_solver(options["solver"], nonlinear)
    options["tolerance"] = Method(**options).tolerance_on(grid)
    return options


def recipe_of(card: Card, split: str | None = None) -> Recipe:
    """Return the recipe of a card, or that of the samples of one split."""
    if card.kind not in RECIPES:
        raise InputError(
            f"kind {card.kind!r}: this version makes {', '.join(RECIPES)} only"
        )
    try:
        recipe = RECIPES[card.kind](**card.parameters)
    except TypeError as error:
        raise InputError(f"parameters of {card.kind}: {error}") from error
    return recipe if split is None else recipe.of_split(split)


def check_feasible(card: Card) -> None:
    """Refuse a card if none of its first samples can be made."""
    recipe = recipe_of(card)
    available = recipe.available()
    if available is not None and card.count > available:
        raise InputError(
            f"count {card.count}: there are {available} bodies to take",
            mend="lower --count",
        )
    problem: InputError | None = None
    for index in range(min(TRIES, card.count)):
        try:
            own = recipe.of_split(card.split_of(index))
            drawn = own.draw(card.seed, index, card.levels[0])
            body = resample(drawn.body, card.levels[-1])
            if recipe.solved:
                body.check()
            check_loads(body, card, index)
            return
        except InputError as error:
            problem = problem or error
    assert problem is not None
    raise problem


def check_loads(body: Microstructure, card: Card, index: int) -> None:
    """Refuse loads that the body of a sample cannot carry."""
    boundary = card.loading.boundary
    for load in card.loading.cases(card.seed, index).values():
        own = load if boundary is None else boundary.affine(load)
        check_load(body, own, boundary)


def check_machine(card: Card, jobs: int, device: str) -> None:
    """Refuse more processes than fit the memory, a device that faces do not have."""
    high = max(
        max(card.solved_levels(i)) for i in range(min(card.count, sum(card.parts)))
    )
    grid, method = Grid((high, high, high)), Method(**card.method, device=device)
    if card.loading.boundary is None:
        one = method.solve_bytes(grid)
    else:
        check_boundary(grid, card.loading.boundary, method)
        one = method.nonperiodic_bytes(card.loading.boundary.nodes(grid))
    # the phase map is int32, and several are made on the way
    one += 32 * card.levels[0] ** 3
    check_bytes(
        jobs * one, f"{jobs} samples of {card.levels[0]}^3 at once", "lower --jobs"
    )
