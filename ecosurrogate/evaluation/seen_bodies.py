"""Bodies of an evaluation that a model was trained on: found, told, left out."""

from collections.abc import Sequence

from ecosurrogate.data.training_set import TrainingSet
from ecosurrogate.evaluation.solved_cases import Predictor, SolvedCases
from fftmech.errors import InputError


def seen(cases: SolvedCases, known: TrainingSet) -> set[int]:
    """Numbers of the samples whose bodies are those of a training set.

    By fingerprint: the same voxels at the resolution of the labels, however they lie. A
    window of an image is one if it meets what the model's windows were cut from.
    """
    return {
        record["index"]
        for number, record in enumerate(cases.records)
        if _is_seen(cases, number, known)
    }


def unseen(cases: SolvedCases, predictors: Sequence[Predictor]) -> SolvedCases:
    """The cases without those that any predictor was trained on.

    All of them where the training samples are what is asked for.
    """
    if cases.split == "train":
        return cases
    known = [p.training_set for p in predictors if p.training_set]
    found = set().union(*(seen(cases, training_set) for training_set in known))
    if not found:
        return cases
    if len(found) == len(cases.records):
        raise InputError(
            f"{cases.directory}: all {len(found)} bodies for {cases.split} were "
            "trained on, so that errors on them say nothing of others",
            mend="make a dataset with another --seed, or add --include-trained",
        )
    return cases.without(found)


def notes(cases: SolvedCases, predictors: Sequence[Predictor]) -> list[str]:
    """What is known of the cases, a line for each predictor that was trained."""
    lines = []
    for predictor in predictors:
        known = predictor.training_set
        if predictor.describe()["kind"] != "run":
            continue
        if known is None:
            lines.append(
                f"{predictor.label}: a run of an earlier version, of which it is "
                "unknown whether it was trained on some of these bodies"
            )
            continue
        count = len(seen(cases.whole, known))
        if count:
            done = "part of all means" if cases.whole is cases else "left out"
            lines.append(
                f"{predictor.label}: {count} of {len(cases.whole.records)} bodies were "
                f"trained on, and are {done}"
            )
    return lines


def _is_seen(cases: SolvedCases, number: int, known: TrainingSet) -> bool:
    record, card = cases.records[number], cases.card
    window = card.parameters.get("window")
    if known.blocks and window is not None:
        place = record["statistics"]
        sides = next(
            (
                b[2]
                for b in card.parameters.get("blocks") or ()
                if b[1] == place["image"]
            ),
            (window,) * 3,
        )
        low = [place[axis] for axis in "xyz"]
        high = [a + n for a, n in zip(low, sides, strict=True)]
        image = dict(card.parameters["images"])[place["image"]]
        if known.has_window(image, low, high):
            return True
    if cases.fingerprints(number) & known.fingerprints:
        return True
    if known.resolution in (cases.res, card.levels[-1]):
        return False
    return known.has(cases.sample(number)[0].body)
