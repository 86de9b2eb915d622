"""Bodies of an evaluation that a model was trained on: found, told, left out."""

from collections.abc import Sequence

from ecosurrogate.evaluation.solved_cases import Predictor, SolvedCases
from fftmech.errors import InputError


def unseen(cases: SolvedCases, predictors: Sequence[Predictor]) -> SolvedCases:
    """The cases without those that any predictor was trained on.

    All of them where the training samples are what is asked for.
    """
    if cases.split == "train":
        return cases
    found = set().union(*(_seen(cases, predictor) for predictor in predictors))
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
        if None in predictor.training_sets:
            lines.append(
                f"{predictor.label}: a run of an earlier version, or one that comes "
                "from such a run, of which it is unknown whether it was trained on "
                "some of these bodies"
            )
        count = len(_seen(cases.whole, predictor))
        if count:
            done = "part of all means" if cases.whole is cases else "left out"
            lines.append(
                f"{predictor.label}: {count} of {len(cases.whole.records)} bodies were "
                f"trained on, and are {done}"
            )
    return lines


def _seen(cases: SolvedCases, predictor: Predictor) -> set[int]:
    """Numbers of the samples that a predictor, or a run it comes from, trained on."""
    known = (cases.seen(each) for each in predictor.training_sets if each)
    return set().union(*known)
