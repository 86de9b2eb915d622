"""Who wins a comparison, in sentences made of its numbers."""

from ecosurrogate.comparison.compare import Comparison, Point
from ecosurrogate.training.config import ADMISSIBLE

CLOSE = 1.1
"""Times that differ by less than this factor are equal."""

UNIFORM = 1.0
"""nRMSE of a uniform field, the mean of the solution."""


def verdict(found: Comparison) -> list[str]:
    """Return who wins where; the first sentence is the summary."""
    said = [headline(found), *(_accuracy(found, f) for f in ("stress", "strain"))]
    if not _useless(found):
        said += [*_green(found), *_projected(found), *_batches(found)]
    return [
        *said,
        _warm(found),
        _certificate(found),
        _apart(found),
    ]


def headline(found: Comparison) -> str:
    """One sentence, of bodies one by one."""
    best = found.surrogate[-1]
    useless = " and ".join(_useless(found))
    if useless:
        return f"The solver wins: the predicted {useless} is no better than uniform."
    rivals = [_point(found, field) for field in ("strain", "stress")]
    if None in rivals:
        return (
            "No winner: the surrogate is more accurate than the solver at tolerance "
            f"{found.tolerance:g}; compare at a smaller one."
        )
    ratios = sorted(best.seconds / rival.seconds for rival in rivals if rival)
    if ratios[0] >= CLOSE:
        return f"The solver wins: {_range(*ratios)} times faster at equal accuracy."
    if ratios[-1] <= 1 / CLOSE:
        ratios = [1 / ratio for ratio in reversed(ratios)]
        return f"The surrogate wins: {_range(*ratios)} times faster at equal accuracy."
    return "No clear winner: it depends on the field, or the times are equal."


def seconds_text(seconds: float) -> str:
    """Two digits, in seconds or milliseconds."""
    if seconds >= 0.0995:
        return f"{digits(seconds)} s"
    return f"{digits(1000 * seconds)} ms"


def digits(value: float) -> str:
    """Two digits, or those before the point."""
    return f"{value:.0f}" if abs(value) >= 10 else f"{float(f'{value:.2g}'):g}"


def steps_text(count: int) -> str:
    """For instance "1 iteration", "2 iterations"."""
    return f"{count} iteration{'' if count == 1 else 's'}"


def _useless(found: Comparison) -> list[str]:
    """Fields that a uniform one is as near to."""
    best = found.surrogate[-1]
    return [f for f in ("strain", "stress") if getattr(best, f) >= UNIFORM]


def _accuracy(found: Comparison, field: str) -> str:
    best, rival = found.surrogate[-1], _point(found, field)
    error = f"{field} nRMSE {getattr(best, field):.2g}"
    if field in _useless(found):
        return f"The prediction's {field} is no better than a uniform one ({error})."
    if rival is None:
        last = found.solver[-1]
        return (
            f"Conjugate gradients do not reach the surrogate's accuracy ({error}, in "
            f"{seconds_text(best.seconds)}) at this tolerance: after "
            f"{_steps(last)} and {seconds_text(last.seconds)} they have "
            f"{getattr(last, field):.2g}."
        )
    return (
        f"At the surrogate's accuracy ({error}) conjugate gradients take "
        f"{_steps(rival)} and {seconds_text(rival.seconds)}, the surrogate "
        f"{seconds_text(best.seconds)}: {_faster(best.seconds, rival.seconds)}."
    )


def _green(found: Comparison) -> list[str]:
    rivals = [_point(found, field) for field in ("stress", "strain")]
    spent = sorted({rival.green for rival in rivals if rival})
    if not spent:
        return []
    theirs = " to ".join(map(str, spent))
    ours = found.surrogate[-1].green
    return [
        f"Applications of the Green operator for that: conjugate gradients {theirs}, "
        f"the surrogate {ours}{', and its network' if ours else ''}."
    ]


def _projected(found: Comparison) -> list[str]:
    k, other = found.first["equilibrated"], found.first["stress"]
    if k is None or k == other or found.model not in ADMISSIBLE:
        return []
    return [
        "The solver's stress is C e; projected on equilibrated fields, as the "
        f"surrogate's is, it has that accuracy after {steps_text(k)}."
    ]


def _batches(found: Comparison) -> list[str]:
    rival = _point(found, "stress") or _point(found, "strain") or found.solver[-1]
    return [
        f"In batches of {b} the surrogate takes {seconds_text(seconds)} a body, the "
        f"solver, one body after the other, {seconds_text(rival.seconds)}: "
        f"{_faster(seconds, rival.seconds)}."
        for b, seconds in found.surrogate[-1].batches.items()
        if b > 1
    ]


def _warm(found: Comparison) -> str:
    cold, cost = found.solver[-1], seconds_text(found.prediction)
    assert cold.steps is not None
    if not found.warm:
        return "From the prediction the solver does not converge."
    warm = found.warm[-1]
    assert warm.steps is not None
    saved = cold.steps - warm.steps
    if saved <= 0:
        return (
            f"Starting from the prediction saves nothing: {_steps(warm)} to the "
            f"tolerance, {cold.steps} from zero, and the prediction costs {cost}."
        )
    gain = cold.seconds - (warm.seconds - found.prediction)
    total = cold.seconds - warm.seconds
    end = f"{seconds_text(abs(total))} {'faster' if total > 0 else 'slower'} in all"
    worth = seconds_text(gain) if gain > 0 else "no time that could be measured"
    return (
        f"Starting from the prediction saves {saved} of {steps_text(cold.steps)}, "
        f"{worth}, and the prediction costs {cost}: {end}."
    )


def _certificate(found: Comparison) -> str:
    relative = found.surrogate[-1].certificate
    if relative is None:
        return f"The prediction has no certificate: {found.reason}."
    return f"The prediction is certified: energy error {100 * relative:.2g} %."


def _apart(found: Comparison) -> str:
    model, solver = found.apart["model"], found.apart["solver"]
    threads = found.threads
    more = ""
    if model["first"] > 0.1 * found.prediction:
        more = f", its first prediction {seconds_text(model['first'])} more"
    return (
        f"Not in these times: reading the model {seconds_text(model['read'])}{more}, "
        f"preparing a body {seconds_text(model['prepare'])}; compiling the solver "
        f"{seconds_text(solver['compile'])}, preparing a body "
        f"{seconds_text(solver['prepare'])}. They are medians over {found.rounds} "
        f"rounds; threads: model {threads['model']}, solver {threads['solver']}."
    )


def _point(found: Comparison, field: str) -> Point | None:
    """First point of CG that is as good as the prediction."""
    k = found.first[field]
    return next((p for p in found.solver if p.steps == k), None)


def _steps(point: Point) -> str:
    assert point.steps is not None
    return steps_text(point.steps)


def _faster(surrogate: float, solver: float) -> str:
    ratio = surrogate / solver
    if ratio >= CLOSE:
        return f"the solver is {digits(ratio)} times faster"
    if ratio <= 1 / CLOSE:
        return f"the surrogate is {digits(1 / ratio)} times faster"
    return "neither is faster"


def _range(low: float, high: float) -> str:
    ends = digits(low), digits(high)
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)
