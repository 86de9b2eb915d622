"""Import fields of another program as a dataset, once all of them pass the checks."""

from collections.abc import Sequence
from os import PathLike
from typing import Any, NamedTuple

from fftmech.datasets.draft import new_card
from fftmech.datasets.imported import ImportedRecipe
from fftmech.datasets.loading import Loading
from fftmech.datasets.make import RunCounts, SampleProgress, make

CHECKED = (
    *("law_error", "mean_error"),
    *("divergence", "divergence_central", "divergence_uniform"),
)
"""What checks find of a sample, its statistics in the dataset."""


HARDLY = 0.95
"""Part of the divergence of C times the mean strain from which a note is made."""


class Checked(NamedTuple):
    """A recipe whose samples all pass; least and largest of `CHECKED`, and notes."""

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
    count, notes, rows = len(recipe.files), dict[str, None](), []
    res = recipe.read(0).body.grid.shape[0]
    for index in range(count):
        notes |= dict.fromkeys(recipe.read(index).body.notes)
        rows.append(recipe.draw(0, index, res).statistics)
        if progress:
            progress(index + 1, 0, count)
    found = {
        name: (min(row[name] for row in rows), max(row[name] for row in rows))
        for name in CHECKED
    }
    lost = sum(
        row["divergence"] > HARDLY * row["divergence_uniform"] > 0 for row in rows
    )
    if lost:
        notes[
            f"the stress of {lost} of {count} samples is hardly nearer to equilibrium, "
            f"in scheme {recipe.stated.scheme}, than C times the mean strain"
        ] = None
    return Checked(recipe, res, found, list(notes))


def import_fields(
    checked: Checked,
    directory: str | PathLike,
    *,
    parts: Sequence[int] | None = None,
    progress: SampleProgress | None = None,
    **notes: Any,
) -> RunCounts:
    """Write the dataset, or the samples that an interrupted import still lacks.

    `parts` are the samples for training, validation and test, in parts; `notes` are
    licence and citation of the card.
    """
    recipe = checked.recipe
    if notes.get("citation") is None:
        notes["citation"] = f"Fields: {recipe.stated.program}."
    card = new_card(
        recipe,
        len(recipe.files),
        (checked.res,),
        loading=Loading("fixed", recipe.stated_load),
        parts=None if parts is None else tuple(parts),  # type: ignore[arg-type]
        scheme=recipe.stated.scheme,
        seed=0,
        units=recipe.units,
        **notes,
    )
    return make(directory, card, jobs=1, progress=progress)
