"""Import fields of another program as a dataset, once all of them pass the checks."""

from collections.abc import Sequence
from os import PathLike
from typing import Any, NamedTuple

from fftmech.datasets.draft import new_card
from fftmech.datasets.imported import ImportedRecipe
from fftmech.datasets.loading import Loading
from fftmech.datasets.make import RunCounts, SampleProgress, make

HARDLY = 0.95
"""Part of the divergence of a field that knows nothing from which a note is made."""

KNOW_NOTHING = {
    "divergence_uniform": ("stress", "equilibrium", "C times the mean strain"),
    "divergence_phase_means": ("stress", "equilibrium", "the means of its phases"),
    "incompatibility_phase_means": (
        *("strain", "compatibility", "the means of its phases"),
    ),
}
"""Statistics of fields that know nothing: what of, how far off what, and which."""


class Checked(NamedTuple):
    """A recipe whose samples all pass; notes, and what was `found`.

    That is the least and the largest of each of their statistics.
    """

    recipe: ImportedRecipe
    res: int
    found: dict[str, tuple[float, float]]
    notes: list[str]


def check_fields(
    mapping: str | PathLike, progress: SampleProgress | None = None
) -> Checked:
    """Read and check all samples that a mapping file names; nothing is written.

    The first that does not pass is an InputError.
    """
    recipe = ImportedRecipe.from_mapping(mapping)
    count, rows = len(recipe.files), []
    notes = dict.fromkeys(recipe.unchecked)
    res = recipe.read(0).body.grid.shape[0]
    for index in range(count):
        notes |= dict.fromkeys(recipe.read(index).body.notes)
        rows.append(recipe.draw(0, index, res).statistics)
        if progress:
            progress(index + 1, 0, count)
    found = {
        name: (min(row[name] for row in rows), max(row[name] for row in rows))
        for name in rows[0]
    }
    for other in KNOW_NOTHING.keys() & rows[0].keys():
        own = other.partition("_")[0]
        lost = sum(row[own] > HARDLY * row[other] > 0 for row in rows)
        if lost:
            field, what, compared = KNOW_NOTHING[other]
            notes[
                f"the {field} of {lost} of {count} samples is hardly nearer to {what}, "
                f"in scheme {recipe.stated.scheme}, than {compared}"
            ] = None
    return Checked(recipe, res, found, list(notes))


def import_fields(
    checked: Checked,
    directory: str | PathLike,
    *,
    parts: Sequence[int] | None = None,
    progress: SampleProgress | None = None,
    **about: Any,
) -> RunCounts:
    """Write the dataset, or the samples that an interrupted import still lacks.

    `parts` are the samples for training, validation and test, in parts; `about` are
    licence and citation of the card.
    """
    recipe = checked.recipe
    if about.get("citation") is None:
        about["citation"] = f"Fields: {recipe.stated.program}."
    card = new_card(
        recipe,
        len(recipe.files),
        (checked.res,),
        loading=Loading("fixed", recipe.stated_load),
        parts=None if parts is None else tuple(parts),  # type: ignore[arg-type]
        scheme=recipe.stated.scheme,
        seed=0,
        units=recipe.units,
        notes=recipe.unchecked,
        **about,
    )
    return make(directory, card, jobs=1, progress=progress)
