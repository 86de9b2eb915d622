"""Pictures of an evaluation: errors, divergence, spectra, energies."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ecosurrogate.evaluation.slices import SYMBOLS, DrawnCase, caption, slices
from ecosurrogate.evaluation.solved_cases import SolvedCase
from ecosurrogate.evaluation.table import SCALES, reference
from fftmech.figures import matplotlib_module, new_figure, with_unit
from fftmech.results.spectrum import power_spectrum
from fftmech.tensors import COMPONENTS
from fftmech.tensors.fields import energy_density

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ROUNDING = 1e-12  # of the largest power: below it a spectrum is noise
# Okabe and Ito's, which people of any colour vision tell apart; the last two are dark
_COLORS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"),
    *("#7f4f24", "#6a4c93"),
)
_LINES = ("-", "--", "-.", ":")


class Style(NamedTuple):
    """How the numbers of a predictor are drawn."""

    label: str
    color: str
    line: str


def figures(
    found: Mapping[str, Any],
    shown: Sequence[DrawnCase],
    component: str = "xx",
    plane: str | None = None,
) -> Iterator[tuple[str, "Figure"]]:
    """Yield every picture and its name, of what `evaluate` and `choose` returned.

    `component` is of strain and stress, in slices and spectra; `plane` is as in
    `fftmech.figures.planes.parse_slice`, by default through the middle, or most of the
    pores.
    """
    styles = _styles(found)
    yield "slices.png", slices(found, shown[0], component, plane)
    yield "errors.png", errors(found, styles)
    yield "divergence.png", divergence(found, styles)
    yield "spectra.png", spectra(found, shown[0], component, styles)
    if found["law"]:
        yield "energy.png", energies(found, shown, styles)


def errors(found: Mapping[str, Any], styles: Sequence[Style]) -> "Figure":
    """Draw the errors of each case: strain, stress, and energy with certificate."""
    kind = found["normalisation"]
    names = [f"{name}, nRMSE over the {SCALES[kind]}" for name in ("strain", "stress")]
    uniform = found["uniform"]
    found = {**found, "contenders": [*found["contenders"], uniform]}
    styles = [*styles, Style(caption(uniform), "k", "-")]
    energy = found["law"] and not found["pores"]
    if energy:
        certified = ", and what is certified (rings)" * (not found.get("boundary"))
        names.append(f"energy error{certified}")
    figure, panels = _side_by_side(len(names), len(styles), 3.3)
    for ax, name in zip(panels, ("strain", "stress"), strict=False):
        _strips(ax, found, styles, lambda r, n=name: r["nrmse"][kind][n]["mean"])
    if energy:
        _strips(panels[-1], found, styles, lambda r: r["energy"])
        _strips(panels[-1], found, styles, lambda r: r["certificate"], rings=True)
    for ax, name in zip(panels, names, strict=True):
        _log_axis(ax)
        ax.set_xlabel(name, fontsize=9)
        ax.tick_params(axis="x", which="both", labelsize=8)
    panels[0].set_yticks(range(len(styles)), [s.label for s in styles], fontsize=8)
    figure.suptitle("A dot is a case, a bar their median", fontsize=9)
    return figure


def divergence(found: Mapping[str, Any], styles: Sequence[Style]) -> "Figure":
    """Draw the local divergence of all cases, and that of each (fig. 4)."""
    rows = [_dns(found), *styles]
    records = [found["reference"], *found["contenders"]]
    figure, (strips, ax) = _side_by_side(2, len(rows), 4.0)
    _strips(strips, {"contenders": records}, rows, lambda r: r["divergence"])
    strips.set_yticks(range(len(rows)), [s.label for s in rows], fontsize=8)
    strips.set_xscale("log")
    strips.set_xlabel(
        r"$|\mathrm{div}\,\sigma|\;/\;|\mathrm{grad}\,\sigma|$, a dot a case, a bar "
        "their median",
        fontsize=9,
    )
    edges = np.array(found["local_divergence"]["edges"])
    drawn = []
    for style, record in zip(rows, records, strict=True):
        fraction = record["local_divergence"]
        if fraction:
            # the first bin has what is nothing but zero
            values = 100 * np.array(fraction)[1:]
            how = {"color": style.color, "lw": 1.3, "ls": style.line}
            ax.stairs(values, edges[1:], **how, label=style.label)
            drawn.append(1 + np.flatnonzero(values > 0.05))
    ax.set_xscale("log")
    if drawn:
        used = np.concatenate(drawn)
        ax.set_xlim(edges[used.min()], edges[used.max() + 1])
        ax.legend(frameon=False, fontsize=7)
    # with place for the legend above
    ax.set_ylim(0, 1.35 * ax.get_ylim()[1])
    ax.set_xlabel(
        r"$|\mathrm{div}\,\sigma|\,h\;/\;$std$(\sigma)$ at a node, h a voxel's edge",
        fontsize=9,
    )
    ax.set_ylabel("part of all nodes in a bin (%)", fontsize=9)
    return figure


def spectra(
    found: Mapping[str, Any], shown: DrawnCase, component: str, styles: Sequence[Style]
) -> "Figure":
    """Draw radially averaged power spectra and their relative errors (fig. 6)."""
    figure = new_figure((9.2, 5.4))
    figure.set_layout_engine("constrained")
    panels = figure.subplots(
        2, 2, sharex=True, gridspec_kw={"height_ratios": (2, 1)}, squeeze=False
    )
    h = max(shown.case.body.grid.h)
    errors: list[float] = []
    for (upper, lower), name in zip(panels.T, ("stress", "strain"), strict=True):
        errors += _spectrum(upper, lower, found, shown, name, component, styles)
        symbol = f"{SYMBOLS[name]}_{{{component}}}"
        unit = found["units"].get("stress", "") if name == "stress" else ""
        text = with_unit(f"power of ${symbol}$ a mode", unit and f"{unit}$^2$")
        upper.set_ylabel(text, fontsize=9)
        lower.set_ylabel("error of the power\n/ power of the DNS", fontsize=9)
        length = found["units"].get("length", "")
        lower.set_xlabel(f"wavenumber (cycles/{length or 'length'})", fontsize=9)
        for ax in (upper, lower):
            ax.grid(which="major", color="0.92")
        for res in filter(None, (found["low_resolution"], found["resolution"])):
            _mark_nyquist(upper, lower, res, 0.5 / h * res / found["resolution"])
    for ax in panels[1]:
        if errors:
            ax.set_ylim(max(min(errors) / 2, 1e-7), min(max(errors) * 2, 1e4))
    _legend(figure, panels[0, 0])
    return figure


def _spectrum(
    upper: Any,
    lower: Any,
    found: Mapping[str, Any],
    shown: DrawnCase,
    name: str,
    component: str,
    styles: Sequence[Style],
) -> list[float]:
    """Draw the spectra of a field; return errors up to the Nyquist frequency."""
    case, k = shown.case, COMPONENTS.index(component)
    wavenumber, exact = _power(getattr(case, name)[k], case)
    floor = _ROUNDING * exact.max(initial=0.0)
    resolved = wavenumber <= 0.5001 / max(case.body.grid.h)
    errors: list[float] = []
    for style, prediction in zip(styles, shown.predictions, strict=True):
        power = _power(getattr(prediction, name)[k], case)[1]
        how = {"color": style.color, "ls": style.line, "lw": 1.3}
        shown_power = np.ma.masked_less_equal(power, floor)
        upper.loglog(wavenumber, shown_power, **how, label=style.label)
        known = (exact > floor) & (power != exact)
        ratio = np.ma.array(power, mask=~known) / np.where(known, exact, 1)
        error = abs(ratio - 1)
        lower.loglog(wavenumber, error, **how)
        errors += error[resolved].compressed().tolist()
    how = {"lw": 1.6, "zorder": 1.8, "label": _dns(found).label}
    upper.loglog(wavenumber, np.ma.masked_less_equal(exact, floor), "k", **how)
    return errors


def _mark_nyquist(upper: Any, lower: Any, res: int, wavenumber: float) -> None:
    for ax in (upper, lower):
        ax.axvline(wavenumber, color="0.6", ls=":", lw=1)
    upper.text(
        *(wavenumber, 0.02, f"Nyquist ${res}^3$ "),
        **{"color": "0.4", "fontsize": 7, "rotation": 90, "ha": "right"},
        va="bottom",
        transform=upper.get_xaxis_transform(),
    )


def energies(
    found: Mapping[str, Any], shown: Sequence[DrawnCase], styles: Sequence[Style]
) -> "Figure":
    """Draw distributions of the energy density, folded at the median (fig. 6).

    Below them are errors of their quantiles, which are small where curves coincide.
    """
    order = {"worst": 0, "median": 1, "best": 2}
    several = sorted(shown, key=lambda s: order.get(s.word, 1))[:3]
    figure = new_figure((0.6 + 3.0 * max(len(several), 2), 5.6))
    figure.set_layout_engine("constrained")
    panels = figure.subplots(
        *(2, len(several)),
        **{"sharey": "row", "sharex": "col", "squeeze": False},
        gridspec_kw={"height_ratios": (2, 1)},
    )
    for (ax, below), (case, predictions, word) in zip(panels.T, several, strict=True):
        exact = energy_density(case.strain, case.stress)[case.solid].astype(float)
        unit = exact.mean() or 1.0
        exact = np.sort(exact) / unit
        levels = _levels(exact.size)
        quantiles = np.quantile(exact, levels)
        for style, prediction in zip(styles, predictions, strict=True):
            density = energy_density(prediction.strain, prediction.stress)[case.solid]
            density = np.sort(density) / unit
            how = {"color": style.color, "ls": style.line, "lw": 1.3}
            _fold(ax, density, **how, label=style.label)
            error = abs(np.quantile(density, levels) - quantiles)
            below.plot(
                quantiles, np.ma.masked_less_equal(error, 1e-9), **how, marker="."
            )
        _fold(ax, exact, color="k", lw=1.6, zorder=1.8, label=_dns(found).label)
        low, high = exact[0], exact[-1]
        margin = 0.35 * (high - low) or 0.1
        ax.set_xlim(max(low - margin, -0.05 * high), high + margin)
        ax.set_yscale("log")
        ax.set_ylim(0.5 / exact.size, 0.6)
        below.set_yscale("log")
        ax.set_title(f"sample {case.index}" + (f", {word}" if word else ""), fontsize=9)
        below.set_xlabel("energy density / mean of the DNS", fontsize=9)
        for part in (ax, below):
            part.grid(which="major", color="0.92")
    text = "part of the voxels below\n(right of the peak: above)"
    panels[0, 0].set_ylabel(text, fontsize=9)
    panels[1, 0].set_ylabel("error of that quantile\n/ mean of the DNS", fontsize=9)
    _legend(figure, panels[0, 0])
    return figure


def _levels(count: int) -> np.ndarray:
    """Levels of quantiles of so many values, dense in both tails."""
    tail = np.geomspace(0.5 / count, 0.5, 12)
    return np.concatenate([tail, 1 - tail[-2::-1]])


def _styles(found: Mapping[str, Any]) -> list[Style]:
    """Runs have colours and full lines; the low resolution is grey, CG dashed."""
    styles, runs, solvers = [], 0, 0
    for predictor in found["contenders"]:
        if predictor["kind"] == "run":
            turn, n = divmod(runs, len(_COLORS))
            color, line = _COLORS[n], _LINES[turn % len(_LINES)]
            runs += 1
        elif predictor["kind"] == "cg":
            color, line = f"{max(0.1, 0.55 - 0.15 * solvers):.2f}", "--"
            solvers += 1
        else:
            color, line = "0.65", "-"
        styles.append(Style(caption(predictor), color, line))
    return styles


def _dns(found: Mapping[str, Any]) -> Style:
    return Style(f"DNS ${found['resolution']}^3$ ({reference(found)})", "k", "-")


def _side_by_side(count: int, rows: int, width: float) -> tuple["Figure", Any]:
    figure = new_figure((2.0 + count * width, max(2.6, 1.1 + 0.36 * rows)))
    figure.set_layout_engine("constrained")
    return figure, figure.subplots(1, count, squeeze=False)[0]


def _strips(
    ax: Any,
    found: Mapping[str, Any],
    styles: Sequence[Style],
    value: Callable[[Mapping[str, Any]], float | None],
    rings: bool = False,
) -> None:
    """A point for each case, and a bar at the median, in a row for each style."""
    for row, (style, predictor) in enumerate(
        zip(styles, found["contenders"], strict=True)
    ):
        records = [r for r in predictor["samples"] if r.get("finite", True)]
        values = np.array([v for r in records if (v := value(r))])
        if not values.size:
            continue
        # spread over the height of the row, so that equal ones can be told apart
        heights = row + 0.26 * np.sin(2.4 * np.arange(values.size))
        if rings:
            ax.plot(values, heights, "o", ms=7, mfc="none", mec=style.color, mew=0.8)
            continue
        ax.plot(values, heights, "o", ms=3.2, color=style.color, alpha=0.7, mew=0)
        ax.plot([np.median(values)] * 2, (row - 0.38, row + 0.38), color=style.color)
    ax.set_ylim(len(styles) - 0.4, -0.6)
    ax.set_yticks([])
    ax.grid(which="major", axis="x", color="0.92")


def _log_axis(ax: Any) -> None:
    """A logarithmic axis across, where errors are far apart."""
    low, high = ax.xaxis.get_data_interval()
    if 0 < 5 * low < high:
        ax.set_xscale("log")
        ticker = matplotlib_module("ticker")
        if high < 30 * low:
            # few powers of ten: numbers between them
            ax.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(ticker.NullFormatter())


def _power(field: np.ndarray, case: SolvedCase) -> tuple[np.ndarray, np.ndarray]:
    """Wavenumbers and power of a component, zero in pores."""
    spectrum = power_spectrum(np.where(case.solid, field, 0.0), case.body.grid)
    return spectrum.wavenumber, spectrum.power


def _fold(ax: Any, ordered: np.ndarray, **how: Any) -> None:
    p = (np.arange(ordered.size) + 0.5) / ordered.size
    ax.plot(ordered, 0.5 - abs(0.5 - p), **how)


def _legend(figure: "Figure", ax: Any) -> None:
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(
        handles[-1:] + handles[:-1],
        labels[-1:] + labels[:-1],
        loc="outside lower center",
        ncols=min(3, len(handles)),
        frameon=False,
        fontsize=8,
    )
