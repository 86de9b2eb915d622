"""What a comparison found, in sentences made of its numbers."""

from math import floor, isfinite

from ecosurrogate.comparison.comparison import Comparison, Point
from ecosurrogate.training.config import ADMISSIBLE
from fftmech.arrays.crowding import busy
from fftmech.results.metrics import skill

CLOSE = 1.1
"""Times that differ by less than this factor are equal."""


def sentences(found: Comparison) -> list[str]:
    """Return which is faster and by how much; the first sentence is the summary."""
    said = [headline(found), *(_accuracy(found, f) for f in ("stress", "strain"))]
    if not _useless(found):
        said += [*_green(found), *_projected(found), *_batches(found)]
    return [*said, _warm(found), _certificate(found), _apart(found)]


def notes(found: Comparison) -> list[str]:
    """Why the body is no test of the model, or the times not what they seem."""
    said = busy(found.crowding)
    late = [f"{said}; the times are not compared"] if said else []
    return [*found.notes, *late]


def headline(found: Comparison) -> str:
    """The summary, of bodies one by one."""
    best = found.surrogate[-1]
    if useless := " and ".join(_useless(found)):
        return f"The solver wins: the predicted {useless} is no better than uniform."
    if said := busy(found.crowding):
        return f"No verdict, {said}."
    equals = [_as_accurate(found, field) for field in ("strain", "stress")]
    known = [point for point in equals if point]
    ratios = sorted(best.seconds / point.seconds for point in known)
    if len(ratios) < len(equals):
        return (
            "No winner: the surrogate is more accurate than the solver at tolerance "
            f"{found.tolerance:g}; compare at a smaller one."
        )
    if any(_overlap(best, point) for point in known):
        return "No clear winner: the times of repeats overlap."
    if ratios[0] >= CLOSE:
        return f"The solver wins: {_range(*ratios)} times faster at equal accuracy."
    if ratios[-1] <= 1 / CLOSE:
        ratios = [1 / ratio for ratio in reversed(ratios)]
        return f"The surrogate wins: {_range(*ratios)} times faster at equal accuracy."
    return "No clear winner: it depends on the field, or the times are equal."


def _useless(found: Comparison) -> list[str]:
    """Fields that are predicted no better than by their mean."""
    best = found.surrogate[-1]
    return [f for f in ("strain", "stress") if getattr(best, f) >= _least(found, f)]


def _least(found: Comparison, field: str) -> float:
    """Error of the uniform field: 1, or where the solution is uniform more than any."""
    return found.uniform[field] or float("inf")


def _overlap(a: Point, b: Point) -> bool:
    """Whether some repeats of the slower one are faster than some of the other."""
    return a.spread[0] <= b.spread[1] and b.spread[0] <= a.spread[1]


def _as_accurate(found: Comparison, field: str) -> Point | None:
    """First iteration of CG that is as accurate as the prediction."""
    k = found.first[field]
    return next((p for p in found.solver if p.steps == k), None)


def _accuracy(found: Comparison, field: str) -> str:
    best, equal = found.surrogate[-1], _as_accurate(found, field)
    error = f"{field} nRMSE {getattr(best, field):.2g}"
    known = skill(getattr(best, field), found.uniform[field])
    if known is not None and known > 0:
        error += f", skill {skill_text(known)}"
    ours = _seconds(best.seconds)
    if not isfinite(getattr(best, field)):
        return f"The prediction's {field} is not uniform, that of the solution is."
    if field in _useless(found):
        return f"The prediction's {field} is no better than a uniform one ({error})."
    if equal is None:
        last = found.solver[-1]
        return (
            f"Conjugate gradients do not reach the surrogate's accuracy ({error}, in "
            f"{ours}) at this tolerance: after {_iterations(last.steps)} and "
            f"{_seconds(last.seconds)} they have {getattr(last, field):.2g}."
        )
    return (
        f"At the surrogate's accuracy ({error}) conjugate gradients take "
        f"{_iterations(equal.steps)} and {_seconds(equal.seconds)}, the surrogate "
        f"{ours}{_verdict(found, best, equal)}."
    )


def _verdict(found: Comparison, best: Point, equal: Point) -> str:
    """Which of two is faster, unless their times do not say that."""
    if busy(found.crowding):
        return ""
    if _overlap(best, equal):
        return ": their times overlap"
    return f": {_faster(best.seconds, equal.seconds)}"


def _green(found: Comparison) -> list[str]:
    equals = [_as_accurate(found, field) for field in ("stress", "strain")]
    spent = sorted({point.green for point in equals if point})
    if not spent:
        return []
    ours = found.surrogate[-1].green
    return [
        "Applications of the Green operator for that: conjugate gradients "
        f"{' to '.join(map(str, spent))}, the surrogate {ours}"
        f"{', and its network' if ours else ''}."
    ]


def _projected(found: Comparison) -> list[str]:
    k = found.first["equilibrated"]
    if k is None or k == found.first["stress"] or found.model not in ADMISSIBLE:
        return []
    return [
        "The solver's stress is C e; projected on equilibrated fields, as the "
        f"surrogate's is, it has that accuracy after {_iterations(k)}."
    ]


def _batches(found: Comparison) -> list[str]:
    if busy(found.crowding):
        return []
    equals = (_as_accurate(found, field) for field in ("stress", "strain"))
    point = next(filter(None, equals), found.solver[-1])
    return [
        f"In batches of {b} the surrogate takes {_seconds(seconds)} a body, the "
        f"solver, one body after the other, {_seconds(point.seconds)}: "
        f"{_faster(seconds, point.seconds)}."
        for b, seconds in found.surrogate[-1].batches.items()
        if b > 1
    ]


def _warm(found: Comparison) -> str:
    if not found.warm:
        return "From the prediction the solver does not converge."
    cold, warm = found.solver[-1], found.warm[-1]
    assert cold.steps is not None and warm.steps is not None
    cost, saved = _seconds(found.prediction), cold.steps - warm.steps
    if saved <= 0:
        return (
            f"Starting from the prediction saves nothing: {_iterations(warm.steps)} to "
            f"the tolerance, {cold.steps} from zero, and the prediction costs {cost}."
        )
    if busy(found.crowding):
        return f"Starting from the prediction saves {saved} of {cold.steps} iterations."
    gain = cold.seconds - (warm.seconds - found.prediction)
    total = cold.seconds - warm.seconds
    end = f"{_seconds(abs(total))} {'faster' if total > 0 else 'slower'} in all"
    worth = _seconds(gain) if gain > 0 else "no time that could be measured"
    return (
        f"Starting from the prediction saves {saved} of {_iterations(cold.steps)}, "
        f"{worth}, and the prediction costs {cost}: {end}."
    )


def _certificate(found: Comparison) -> str:
    relative = found.surrogate[-1].certificate
    if relative is None:
        return f"The prediction has no certificate: {found.reason}."
    known = 100 * (found.uniform["certificate"] or 0.0)
    return (
        f"The prediction is certified: energy error {100 * relative:.2g} %, that of a "
        f"uniform field is {known:.2g} %."
    )


def _apart(found: Comparison) -> str:
    model, solver, threads = found.apart["model"], found.apart["solver"], found.threads
    more = ""
    if model["first"] > 0.1 * found.prediction:
        more = f", its first prediction {_seconds(model['first'])} more"
    return (
        f"Not in these times: reading the model {_seconds(model['read'])}{more}, "
        f"preparing a body {_seconds(model['prepare'])}; compiling the solver "
        f"{_seconds(solver['compile'])}, preparing a body "
        f"{_seconds(solver['prepare'])}. They are medians over {found.rounds} "
        f"rounds; threads: model {threads['model']}, solver {threads['solver']}."
    )


def skill_text(value: float) -> str:
    """Two decimals, never rounded up: 1 is the solution."""
    return f"{floor(100 * value + 1e-9) / 100:.2f}"


def _faster(surrogate: float, solver: float) -> str:
    ratio = surrogate / solver
    if ratio >= CLOSE:
        return f"the solver is {_digits(ratio)} times faster"
    if ratio <= 1 / CLOSE:
        return f"the surrogate is {_digits(1 / ratio)} times faster"
    return "neither is faster"


def _seconds(seconds: float) -> str:
    """Two digits, in seconds or milliseconds."""
    if seconds >= 0.0995:
        return f"{_digits(seconds)} s"
    return f"{_digits(1000 * seconds)} ms"


def _digits(value: float) -> str:
    """Two digits, or those before the point."""
    return f"{value:.0f}" if abs(value) >= 10 else f"{float(f'{value:.2g}'):g}"


def _iterations(count: int | None) -> str:
    return f"{count} iteration{'' if count == 1 else 's'}"


def _range(low: float, high: float) -> str:
    ends = _digits(low), _digits(high)
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)
