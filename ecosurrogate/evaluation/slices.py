"""Slices of one case of an evaluation: the DNS, every answer, every error."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ecosurrogate.evaluation.cases import Answer, Case, Cases, Contender
from fftmech.errors import InputError
from fftmech.figures import new_figure
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


class Shown(NamedTuple):
    """A case and what all contenders answered.

    Attributes
    ----------
    case, answers
        In the order of the contenders.
    word
        How the first of them did among all cases: "worst", "median" or "best".
    """

    case: Case
    answers: list[Answer]
    word: str


def choose(
    found: Mapping[str, Any],
    cases: Cases,
    contenders: Sequence[Contender],
    sample: int | None = None,
) -> list[Shown]:
    """Return the case to draw, and those the first contender did worst and best on.

    Parameters
    ----------
    found
        What `ecosurrogate.evaluation.evaluate` returned of these cases and contenders.
    sample
        Number of a sample; that of the median stress error if None.

    Raises
    ------
    InputError
        No such sample among the cases.
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
        Shown(case := cases[i], [c.answer([case])[0] for c in contenders], chosen[i])
        for i in (first, *(i for i in chosen if i != first))
    ]


def check_choice(cases: Cases, sample: int | None, plane: str | None) -> None:
    """Refuse a sample or a plane that is not there, before anything is computed.

    Raises
    ------
    InputError
        Saying what is there.
    """
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
    found: Mapping[str, Any], shown: Shown, component: str, plane: str | None = None
) -> "Figure":
    """Draw one component in a plane: the DNS, all answers, their errors (figs. 3-7).

    The colours of all answers are those of the DNS; those of errors end at half their
    range, or where the largest error does.
    """
    case = shown.case
    axis, index = parse_slice(plane or _plane(case), case.body.grid)
    k = COMPONENTS.index(component)
    order = sorted(
        range(len(shown.answers)),
        key=lambda i: found["contenders"][i]["kind"] != "low-res",
    )
    columns = len(order) + 1
    figure = new_figure((0.75 + columns * (_PANEL + 0.12) + 0.9, 4 * _PANEL + 1.55))
    figure.set_layout_engine("constrained", w_pad=0.03, h_pad=0.03)
    panels = figure.subplots(4, columns, squeeze=False)
    for row, name in enumerate(("stress", "strain")):
        reference = getattr(case, name)
        exact = reference[k] / FACTORS[k]
        size = float(np.sqrt((reference**2).sum(axis=0).mean()))
        low, high, diverging = color_range(
            ScalarField(exact, name, "", case.solid, size)
        )
        fields = [getattr(shown.answers[i], name)[k] / FACTORS[k] for i in order]
        largest = [
            np.percentile(abs(f - exact)[case.solid], _ROBUST)
            for f in fields
            if np.isfinite(f).all()
        ]
        limit = min(max(largest, default=0.0), (high - low) / 2) or (high - low) / 2
        values = {
            "cmap": "RdBu_r" if diverging else "viridis",
            "vmin": low,
            "vmax": high,
        }
        gaps = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
        top, bottom = panels[2 * row], panels[2 * row + 1]
        image = _show(top[0], exact, case, axis, index, values)
        bottom[0].set_axis_off()
        gap: Any = None
        kind = found["normalisation"]
        for ax, below, field in zip(top[1:], bottom[1:], fields, strict=True):
            _show(ax, field, case, axis, index, values)
            gap = _show(below, field - exact, case, axis, index, gaps)
            error = float(nrmse(field, exact, kind, case.solid))
            below.set_xlabel(f"nRMSE {error:.2g}", fontsize=9)
        symbol = f"${SYMBOLS[name]}_{{{component}}}$"
        unit = found["units"].get("stress", "") if name == "stress" else ""
        label = f"{symbol} ({unit})" if unit else symbol
        _bar(figure, image, top, label)
        _bar(figure, gap, bottom, f"error of {label}")
    for ax, text in zip(
        panels[0],
        (
            f"DNS ${found['resolution']}^3$\n(solved)",
            *(caption(found["contenders"][i], "\n") for i in order),
        ),
        strict=True,
    ):
        ax.set_title(text, fontsize=9)
    right, up = ("xyz"[a] for a in in_plane(axis))
    load = f", load {case.name}" if case.name else ""
    first = caption(found["contenders"][0])
    word = f", the {shown.word} of {first}" if shown.word else ""
    figure.suptitle(
        f"Sample {case.index}{load}{word}, {'xyz'[axis]} = voxel {index}; {right} to "
        f"the right, {up} up",
        fontsize=10,
    )
    return figure


def caption(contender: Mapping[str, Any], between: str = " ") -> str:
    """Label in which cubes are cubes and nothing else is mathematics."""
    text = f"{contender['name']}{between}({contender['what']})".replace("$", r"\$")
    return text.replace("^3", "$^3$") if contender["kind"] == "low-res" else text


def _plane(case: Case) -> str:
    """The middle, or most of the pores; it holds the axis of the load."""
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
    case: Case,
    axis: int,
    index: int,
    how: Mapping[str, Any],
) -> Any:
    masked = np.ma.array(values, mask=~case.solid).take(index, axis)
    ax.set(xticks=[], yticks=[], facecolor=_PORE)
    return ax.imshow(masked.T, origin="lower", interpolation="nearest", **how)


def _bar(figure: "Figure", image: Any, row: Any, label: str) -> None:
    bar: Any = figure.colorbar(
        image, ax=list(row), label=label, pad=0.01, extend="both"
    )
    bar.formatter.set_powerlimits((-2, 4))
    bar.formatter.set_useMathText(True)
    bar.ax.yaxis.set_offset_position("left")
