"""What samples for validation and test share with those for training.

The overlap of a sample is the part of its voxels that are in training samples: 1 of one
whose body is a training sample's (by fingerprint, at the lowest resolution), of a
window of an image the part in training windows of that image, else 0.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from fftmech.datasets.blocks import Block
from fftmech.datasets.card import Card
from fftmech.datasets.manifest import Record

UNKNOWN = "unknown: made before overlaps were recorded"


def with_overlaps(card: Card, records: Iterable[Record]) -> list[Record]:
    """Records with `overlap` in those for validation and test, where it is known.

    It is not where a training sample was made without a fingerprint, a window without
    blocks, or where this dataset is a part: a shard, or one split of another, whose
    samples keep what they have.
    """
    records = list(records)
    if card.split is not None:
        return records
    records = [{k: v for k, v in r.items() if k != "overlap"} for r in records]
    train = [r for r in records if r["split"] == "train" and r["status"] == "done"]
    parameters = card.parameters
    unknown = parameters.get("window") is not None and not parameters.get("blocks")
    if card.shard or unknown or any("fingerprint" not in r for r in train):
        return records
    bodies = {r["fingerprint"] for r in train}
    windows = _Windows(parameters, train)
    for record in records:
        if record["split"] != "train" and "fingerprint" in record:
            same = record["fingerprint"] in bodies
            record["overlap"] = 1.0 if same else windows.shared(record["statistics"])
    return records


def summary(records: Iterable[Record]) -> dict[str, Any]:
    """By split: largest and mean overlap, bodies of training samples, unknown ones."""
    found: dict[str, Any] = {}
    for split in ("val", "test"):
        of = [r for r in records if r["split"] == split and r["status"] == "done"]
        known = [r["overlap"] for r in of if "overlap" in r]
        if of:
            found[split] = {
                "samples": len(of),
                "unknown": len(of) - len(known),
                "largest": max(known, default=None),
                "mean": float(np.mean(known)) if known else None,
                "with_overlap": sum(overlap > 0 for overlap in known),
            }
    return found


def sentence(split: str, found: Mapping[str, Any]) -> str:
    """What `summary` says of a split, in a line."""
    samples, unknown = found["samples"], found["unknown"]
    text = f"overlap of {split} with training samples: "
    if unknown == samples:
        return text + UNKNOWN
    if found["with_overlap"]:
        text += (
            f"{found['with_overlap']} of {samples} samples, "
            f"{100 * found['mean']:.3g} % of the voxels on average, "
            f"{100 * found['largest']:.3g} % at most"
        )
    else:
        text += f"none in {samples - unknown} samples"
    return text + (f"; of {unknown} {UNKNOWN}" if unknown else "")


class _Windows:
    """Training windows by image; of other samples there are none."""

    def __init__(self, parameters: Mapping[str, Any], train: Iterable[Record]) -> None:
        blocks = map(Block.of, parameters.get("blocks") or ())
        self.sides = {block.image: np.array(block.sides) for block in blocks}
        self.corners: dict[str, list[np.ndarray]] = defaultdict(list)
        if self.sides:
            for record in train:
                corner, image = _place(record["statistics"])
                self.corners[image].append(corner)

    def shared(self, statistics: Mapping[str, Any]) -> float:
        """Part of the voxels of a window that are in training windows."""
        if not self.sides:
            return 0.0
        corner, image = _place(statistics)
        sides = self.sides[image]
        inside = np.zeros(sides, bool)
        for low in np.array(self.corners[image]).reshape(-1, 3) - corner:
            if (abs(low) < sides).all():
                ends = zip(low, low + sides, strict=True)
                inside[tuple(slice(max(a, 0), max(b, 0)) for a, b in ends)] = True
        return float(inside.mean())


def _place(statistics: Mapping[str, Any]) -> tuple[np.ndarray, str]:
    return np.array([statistics[axis] for axis in "xyz"]), statistics["image"]
