"""Whether the fields of a sample are those of its body under its loads."""

import numpy as np

from ecosurrogate.data.creep_bodies import law_error
from fftmech.errors import InputError
from fftmech.loads.boundary import Boundary
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.results.sample import OTHER_PROGRAM, Level, Sample
from fftmech.tensors import PAIRS
from fftmech.tensors.fields import symmetrize

ROUNDING = 64 * float(np.finfo(np.float32).eps)
"""Relative error that fields in single precision may have: they are rounded once when
they are solved or stored, once when components become Mandel's, and the stress is a sum
of six products."""

LOOSE = 1e-3
"""Relative error of prescribed mean stresses: a solve reaches them to a tolerance."""


def check_labels(sample: Sample, where: str) -> None:
    """Refuse a sample unless s = C (e - e0), and means are those stated and prescribed.

    Viscoplastic crystals have to obey their law (`creep_bodies.law_error`). Without a
    stiffness no law is known, and only the means are checked.

    Fields are checked at the lowest resolution, that of labels; samples without fields
    pass. In the InputError the sample is called `where`.
    """
    level = sample.low
    if level.strain is None or level.stress is None:
        return
    exact, loose = ROUNDING, max(LOOSE, 100 * sample.tolerance)
    if sample.solver == OTHER_PROGRAM:
        # what was allowed when it was imported
        exact = loose = max(ROUNDING, sample.tolerance)
    for k, (name, load) in enumerate(sample.loads.items()):
        boundary = sample.boundary or Boundary()
        fault = (
            _law_fault(level, k, load, exact, loose)
            or _gradient_fault(level, k)
            or _mean_fault(level, k, load, boundary, exact, loose)
        )
        if fault:
            case = f", load {name}" if name else ""
            raise InputError(
                f"{where} ({sample.split}{case}): {fault}",
                mend="fftmech dataset verify says whether its file was altered, and "
                "--repair makes it again",
            )


def _law_fault(
    level: Level, k: int, load: Load, allowed: float, loose: float
) -> str | None:
    assert level.strain is not None and level.stress is not None
    strain, stress = (f[k].reshape(6, -1) for f in (level.strain, level.stress))
    if not (np.isfinite(strain).all() and np.isfinite(stress).all()):
        return "its strain or stress is not finite"
    if level.body.stiffness is None:
        return None
    if level.body.nonlinear:
        off = law_error(level.body, load, level.strain[k], level.stress[k])
        if off <= loose:
            return None
        return f"its stress is not that of its strain rate (off by {off:.1g})"
    error, size = 0.0, 0.0
    for phase, C, e0 in _phases(level.body):
        voxels = np.flatnonzero(level.body.phase.ravel() == phase)
        e = strain[:, voxels].astype(float) - e0
        s = stress[:, voxels].astype(float)
        off = abs(s - C @ e)
        # of each voxel: a soft phase counts as much as a stiff one
        most = allowed * (abs(C) @ abs(e) + abs(s)).max(axis=0)
        if (off.max(axis=0) > most).any():
            error, size = max(error, off.max()), max(size, abs(C @ e).max())
    if error:
        part = f"{error / size:.1g} of the largest" if size else "where there is none"
        return f"its stress is not C (e - e0) of its strain (off by {part})"
    return None


def _gradient_fault(level: Level, k: int) -> str | None:
    if level.displacement_gradient is None:
        return None
    assert level.strain is not None
    H = level.displacement_gradient[k].astype(float)
    off = abs(symmetrize(H) - level.strain[k]).max()
    # the strain is what is left of a turn
    if not off <= ROUNDING * abs(H).max():
        return "its strain is not that of its displacement gradient"
    return None


def _phases(body: Microstructure):
    """Phases with their stiffness and eigenstrain, Mandel (6, 6) and (6, 1)."""
    assert body.stiffness is not None
    for phase in body.phases:
        free = np.zeros(6) if body.eigenstrain is None else body.eigenstrain[phase]
        yield phase, np.nan_to_num(body.stiffness[phase]), free[:, None]


def _mean_fault(
    level: Level, k: int, load: Load, boundary: Boundary, exact: float, loose: float
) -> str | None:
    load = boundary.affine(load)
    means = {"strain": level.mean_strain, "stress": level.mean_stress}
    given = {"strain": load.mean_strain, "stress": load.mean_stress}
    for name, stated in means.items():
        assert stated is not None
        field = getattr(level, name)[k].reshape(6, -1).astype(float)
        mean, size = field.mean(axis=1), abs(field).mean(axis=1).max()
        if not (abs(mean - stated[k]) <= ROUNDING * size).all():
            return f"its mean {name} is not the one that it states"
        prescribed = load.free if name == "stress" else _means(load, boundary)
        allowed = exact if name == "strain" else loose
        off = abs(stated[k] - given[name])[prescribed]
        if not (off <= allowed * max(size, abs(given[name]).max())).all():
            return f"its mean {name} is not the one that its load prescribes"
    return None


def _means(load: Load, boundary: Boundary) -> np.ndarray:
    """Mean strains that are prescribed: those of faces that move as the load says."""

    def told(component: int, axis: int) -> bool:
        return boundary.periodic[axis] or boundary.fixed(component, axis)

    faces = [all(told(c, d) for c, d in {(a, b), (b, a)}) for a, b in PAIRS]
    return ~load.free & np.array(faces)
