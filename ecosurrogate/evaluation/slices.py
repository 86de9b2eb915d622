"""Slices of one case of an evaluation: the DNS, every prediction and its error."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ecosurrogate.evaluation.solved_cases import (
    PredictedFields,
    Predictor,
    SolvedCase,
    SolvedCases,
)
from ecosurrogate.evaluation.table import SCALES, reference
from fftmech.errors import InputError
from fftmech.figures import color_bar, matplotlib_module, new_figure
from fftmech.figures.colors import color_range
from fftmech.figures.planes import in_plane, parse_slice
from fftmech.results.metrics import nrmse
from fftmech.results.scalar_fields import ScalarField
from fftmech.tensors import COMPONENTS, FACTORS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SYMBOLS = {"strain": r"\varepsilon", "stress": r"\sigma"}
"""LaTeX of the fields."""

_PANEL = 1.75  # inches, edge of a slice
_PORE = "0.8"  # a grey that neither colour map has
_ROBUST = 99.5  # percentile of errors at the end of their colours
_SEEN = 0.05  # nRMSE below which a field looks like the DNS


class DrawnCase(NamedTuple):
    """A case to draw, and the fields that all predictors predict, in their order.

    `word` is its rank by the stress error of the first predictor: "worst", "median",
    "best", or "".
    """

    case: SolvedCase
    predictions: list[PredictedFields]
    word: str


def choose(
    found: Mapping[str, Any],
    cases: SolvedCases,
    predictors: Sequence[Predictor],
    sample: int | None = None,
) -> list[DrawnCase]:
    """Return the case to draw, then the worst and the best ones of the first predictor.

    `found` is what `evaluate` returned of these cases and predictors. The case is that
    of the `sample`, or of the median stress error if None.
    """
    check_choice(cases, sample, None)
    records = found["contenders"][0]["samples"]
    kind = found["normalisation"]
    errors = [
        record["nrmse"][kind]["stress"]["mean"] if record["finite"] else None
        for record in records
    ]
    known = [np.inf if error is None else error for error in errors]
    order = sorted(range(len(records)), key=known.__getitem__)
    chosen = {order[-1]: "worst", order[0]: "best", order[len(order) // 2]: "median"}
    first = order[len(order) // 2]
    if sample is not None:
        first = next(i for i, r in enumerate(records) if r["index"] == sample)
        chosen.setdefault(first, "")
    return [
        DrawnCase(
            case := cases[i], [c.predict([case])[0] for c in predictors], chosen[i]
        )
        for i in (first, *(i for i in chosen if i != first))
    ]


def check_choice(cases: SolvedCases, sample: int | None, plane: str | None) -> None:
    """Refuse a sample or a plane that is not there, before anything is computed."""
    if sample is not None and sample not in cases.indices:
        listed = ", ".join(map(str, cases.indices[:8]))
        listed += ", ..." if len(cases.indices) > 8 else ""
        raise InputError(
            f"sample {sample}: it is not among the {len(cases.indices)} for "
            f"{cases.split} that are evaluated",
            mend=f"take one of {listed}",
        )
    if plane is not None:
        parse_slice(plane, cases[0].body.grid)


def slices(
    found: Mapping[str, Any], shown: DrawnCase, component: str, plane: str | None = None
) -> "Figure":
    """Draw one component in a plane: DNS, predictions, their errors (figs. 3, 5, 7).

    All fields have the colours of the DNS; those that look like it are left out. Sizes
    of errors have one logarithmic scale a row, from the lowest tenth of the smallest
    ones to where the largest ones end, or to the range of the DNS.
    """
    case = shown.case
    axis, index = parse_slice(plane or _plane(case), case.body.grid)
    order = sorted(
        range(len(shown.predictions)),
        key=lambda i: found["contenders"][i]["kind"] != "low-res",
    )
    columns = len(order) + 1
    figure = new_figure((0.75 + columns * (_PANEL + 0.12) + 0.9, 4 * _PANEL + 1.55))
    figure.set_layout_engine("constrained", w_pad=0.03, h_pad=0.03)
    panels = figure.subplots(4, columns, squeeze=False)
    for row, name in enumerate(("stress", "strain")):
        fields = [getattr(shown.predictions[i], name) for i in order]
        place = (name, component, axis, index)
        _field_rows(panels[2 * row : 2 * row + 2], found, case, fields, place)
    titles = (
        f"DNS ${found['resolution']}^3$\n({reference(found)})",
        *(caption(found["contenders"][i], "\n") for i in order),
    )
    for ax, text in zip(panels[0], titles, strict=True):
        ax.set_title(text, fontsize=9)
    right, up = ("xyz"[a] for a in in_plane(axis))
    load = f", load {case.name}" if case.name else ""
    first = caption(found["contenders"][0])
    word = f", the {shown.word} of {first}" if shown.word else ""
    figure.suptitle(
        f"Sample {case.index}{load}{word}, {'xyz'[axis]} = voxel {index}; {right} to "
        f"the right, {up} up\nnRMSE of this component over its "
        f"{SCALES[found['normalisation']]}; a uniform field has 1",
        fontsize=10,
    )
    return figure


def _field_rows(
    rows: Any,
    found: Mapping[str, Any],
    case: SolvedCase,
    fields: Sequence[np.ndarray],
    place: tuple[str, str, int, int],
) -> None:
    """Draw the DNS and the predictions of a field, and below them the errors."""
    name, component, axis, index = place
    k = COMPONENTS.index(component)
    reference = getattr(case, name)
    exact = reference[k] / FACTORS[k]
    size = float(np.sqrt((reference**2).sum(axis=0).mean()))
    low, high, diverging = color_range(ScalarField(exact, name, "", case.solid, size))
    parts = [field[k] / FACTORS[k] for field in fields]
    sizes = [abs(part - exact) for part in parts]
    ends = np.array([np.percentile(e[case.solid], (10, _ROBUST)) for e in sizes])
    ends = ends[np.isfinite(ends).all(axis=1)]
    largest = min(ends.max(initial=0.0), high - low) or high - low
    least = min(max(ends.min(initial=largest), 1e-6 * largest), largest / 10)
    log = matplotlib_module("colors").LogNorm(least, largest, clip=True)
    values = {"cmap": "RdBu_r" if diverging else "viridis", "vmin": low, "vmax": high}
    top, bottom = rows
    image = _show(top[0], exact, case, axis, index, values)
    bottom[0].set_axis_off()
    error_image: Any = None
    for ax, below, part, size in zip(top[1:], bottom[1:], parts, sizes, strict=True):
        error = float(nrmse(part, exact, found["normalisation"], case.solid))
        if error < _SEEN:
            ax.set_axis_off()
            text = f"looks like the DNS\n(nRMSE below {100 * _SEEN:g} %)"
            ax.text(0.5, 0.5, text, ha="center", va="center", fontsize=9, color="0.4")
        else:
            _show(ax, part, case, axis, index, values)
        how = {"cmap": "inferno", "norm": log}
        error_image = _show(below, size, case, axis, index, how)
        below.set_xlabel(f"nRMSE {error:.2g}", fontsize=9)
    figure, symbol = rows[0][0].figure, f"{SYMBOLS[name]}_{{{component}}}"
    unit = found["units"].get("stress", "") if name == "stress" else ""
    for image_, row, label, drawn in (
        (image, top, f"${symbol}$", [exact, *parts]),
        (error_image, bottom, f"size of the error of ${symbol}$", sizes),
    ):
        inside = np.stack(drawn)[:, case.solid]
        how = {"ax": list(row), "pad": 0.01}
        color_bar(figure, image_, label, inside, unit, **how)


def caption(predictor: Mapping[str, Any], between: str = " ") -> str:
    """Label in which cubes are cubes and nothing else is mathematics."""
    text = f"{predictor['name']}{between}({predictor['what']})".replace("$", r"\$")
    return text.replace("^3", "$^3$") if predictor["kind"] == "low-res" else text


def _plane(case: SolvedCase) -> str:
    """The middle, or where most of the pores are; it contains the axis of the load."""
    parts = {**case.load.stress, **case.load.strain}
    along_z = parts and max(parts, key=lambda c: abs(parts[c])) == "zz"
    axis = 1 if along_z else 2
    if case.solid.all():
        return f"{'xyz'[axis]}=mid"
    others = tuple(a for a in range(3) if a != axis)
    return f"{'xyz'[axis]}={int((~case.solid).sum(axis=others).argmax())}"


def _show(
    ax: Any,
    values: np.ndarray,
    case: SolvedCase,
    axis: int,
    index: int,
    how: Mapping[str, Any],
) -> Any:
    masked = np.ma.array(values, mask=~case.solid).take(index, axis)
    ax.set(xticks=[], yticks=[], facecolor=_PORE)
    return ax.imshow(masked.T, origin="lower", interpolation="nearest", **how)
