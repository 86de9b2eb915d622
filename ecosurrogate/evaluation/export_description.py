"""What goes into an exported model and comes out, for who has the file alone."""

from collections.abc import Sequence
from typing import Any

from ecosurrogate.data.lawless import NO_LAW
from ecosurrogate.data.representation import TRIANGLE, channel_count, phase_ids
from ecosurrogate.training.checkpoint import RunCard, versions
from ecosurrogate.training.config import ADMISSIBLE
from fftmech.loads.load import Load
from fftmech.tensors import COMPONENTS

FORMAT_VERSION = 1

CHANNELS = {
    "indicator": "1 in pores and 0 elsewhere; of bodies without pores, the phase 0 or "
    "1 of each voxel, numbered as in the training set",
    "rotation": "matrix R of the crystal, v_sample = R v_crystal, row by row",
    "euler": "Bunge angles phi1, Phi, phi2 of the crystal, radians",
    "quaternion": "unit quaternion w, x, y, z of the crystal: of the 24 equivalent by "
    "cubic symmetry that with the largest |w|, signed so that w >= 0",
    "cubic-harmonics": "with r_i the crystal axes in the frame of the box and "
    "H = traceless part of sum_i r_i^4: sqrt(7) (p - m) + sqrt(10) m for p = H_yyzz, "
    "H_xxzz, H_xxyy and m their mean; then, for ab = yz, xz, xy, "
    "sqrt(2) (H_aaab - H_abbb) and sqrt(14) (H_aaab + H_abbb)",
}
"""What a network sees that is shown no stiffness, by representation."""

WITH_LAW = (
    "a multiple of the load multiplies strain and stress",
    "all values are NaN if a stiffness is neither positive definite nor zero, or if "
    "the body has pores and the model cannot take them",
    "nothing else is checked: not whether pores cut the body into parts that cannot "
    "carry the load, nor whether it is like those of the training set; ecosr predict "
    "does, and certifies the fields",
)

WITHOUT_LAW = (
    f"no certificate: {NO_LAW}; fields under any other load do not follow",
    "nothing is checked: not whether the phases are those of the training set, nor "
    "whether the body is like those; ecosr predict does",
)


def describe(card: RunCard, shape: Sequence[int], load: Load) -> dict[str, Any]:
    """Inputs, outputs, load and origin of a model on a grid; JSON-ready."""
    space = ["x", "y", "z"]
    mandel = [name if name[0] == name[1] else f"sqrt(2) {name}" for name in COMPONENTS]
    size = list(shape)
    representation = card.encoder.representation
    inputs = [
        {
            "name": "stiffness",
            "shape": [1, 21, *size],
            "type": "float32",
            "axes": ["batch", "component", *space],
            "components": [
                f"{COMPONENTS[i]},{COMPONENTS[j]}"
                for i, j in zip(*TRIANGLE, strict=True)
            ],
            "unit": "any unit of stress; that of the training set: "
            + card.units.get("stress", "not recorded"),
            "meaning": "upper triangle, row by row, of the 6x6 Mandel stiffness in the "
            "frame of the box, positive definite; zero in pores. Mandel: of Voigt's "
            "matrix, rows and columns yz, xz, xy times sqrt(2)",
        }
    ]
    if not card.law:
        inputs = []
    if representation != "stiffness":
        inputs.append(
            {
                "name": "channels",
                "shape": [1, channel_count(representation), *size],
                "type": "float32",
                "axes": ["batch", "component", *space],
                "unit": "none",
                "meaning": _meaning(representation),
            }
        )
    stress_unit = (
        "that of the stiffness" if card.law else card.units.get("stress", "unknown")
    )
    outputs = [
        {
            "name": name,
            "shape": [1, 6, *size],
            "type": "float32",
            "axes": ["batch", "component", *space],
            "components": mandel,
            "unit": unit,
        }
        for name, unit in (("strain", "none"), ("stress", stress_unit))
    ]
    return {
        "format_version": FORMAT_VERSION,
        "model": card.config.model,
        "backbone": card.config.backbone,
        "representation": representation,
        "scheme": card.encoder.scheme,
        "grid": {"shape": size, "voxels": "cubes, of any edge", "periodic": True},
        "load": str(load),
        "inputs": inputs,
        "outputs": outputs,
        "admissible": card.config.model in ADMISSIBLE,
        "law": card.law,
        "notes": list(WITH_LAW if card.law else WITHOUT_LAW),
        "training_set": dict(card.dataset),
        "versions": versions(),
    }


def _meaning(representation: str) -> str:
    ids = phase_ids(representation)
    if ids is None:
        return CHANNELS[representation]
    return f"1 where the phase is {', '.join(map(str, ids))} in turn, 0 elsewhere"
