"""Averages of a result over each grain, or each material."""

from dataclasses import dataclass

import numpy as np

from fftmech.errors import InputError
from fftmech.results.result import Result
from fftmech.tensors import von_mises

BY = ("grain", "material")


@dataclass(frozen=True)
class Averages:
    """Volumes and averages, one row a grain or a material.

    Attributes
    ----------
    number, name
        Number in the file that it came from, and name ("" where there is none).
    volume
        Sum of voxels (length units cubed), (n,); `fraction` of the box.
    strain, stress
        Means, Mandel, (n, 6).
    von_mises, largest
        Mean and maximum of the von Mises stress of voxels (stress units), (n,).
    """

    number: list[int]
    name: list[str]
    volume: np.ndarray
    fraction: np.ndarray
    strain: np.ndarray
    stress: np.ndarray
    von_mises: np.ndarray
    largest: np.ndarray


def averages(result: Result, by: str) -> Averages:
    """Average a result over each of its grains, or each of its materials.

    Raises
    ------
    InputError
        Another word than "grain" or "material", or a body whose materials are unknown.
    """
    # here, because SciPy takes longer to import than --help
    from scipy import ndimage

    body = result.microstructure
    if by not in BY:
        raise InputError(f"by {by!r}", " or ".join(BY))
    if by == "grain":
        labels, used = body.phase, body.phases
        number = [body.number_of(p) for p in used]
        name = [body.material_name.get(body.material_of(p), "") for p in used]
    else:
        if not len(body.materials):
            raise InputError(
                "by material, where phases have none", "by grain", "choose that"
            )
        table = np.array([body.material_of(p) for p in range(len(body.counts))])
        labels, used = table[body.phase], body.materials
        number = used.tolist()
        name = [body.material_name.get(m, "") for m in number]
    equivalent = von_mises(result.stress)
    counts = ndimage.sum_labels(np.ones(body.grid.shape), labels, used)

    def means(field: np.ndarray) -> np.ndarray:
        return np.stack([ndimage.mean(part, labels, used) for part in field], axis=-1)

    return Averages(
        number,
        name,
        counts * np.prod(body.grid.h),
        counts / body.grid.voxels,
        means(result.strain),
        means(result.stress),
        means(equivalent[None])[:, 0],
        np.asarray(ndimage.maximum(equivalent, labels, used)),
    )
