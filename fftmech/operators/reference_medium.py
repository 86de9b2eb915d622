"""The homogeneous isotropic reference medium, and its contrast to a body."""

import numpy as np

from fftmech.materials.elastic import compliance
from fftmech.microstructure.base import Microstructure
from fftmech.tensors import J, K
from fftmech.tensors.stiffness import isotropic_moduli

# On compatible fields a soft phase follows its surroundings, so that the spectrum of
# the operator hardly reaches down to the least stiffness (0 for a pore). Polarization
# on a sphere of contrast 1000, of 1e-4 and a pore: 84, 86 and 86 iterations with this
# floor, 262, 478 and 523 with 1e-3. With 0, the step 2 / (0 + high) of the basic
# scheme would not contract on strains that vanish in the pores.
LEAST_CONTRAST = 0.03


def reference_medium(microstructure: Microstructure) -> tuple[float, float]:
    """Bulk and shear modulus of the volume-averaged stiffness's isotropic part.

    Conjugate gradients depend on the ratio of the two alone; solvers that need bounds
    choose their own medium (`stiffness_bounds`).
    """
    assert microstructure.stiffness is not None
    used = microstructure.phases
    fractions = microstructure.fractions[used]
    return isotropic_moduli(np.tensordot(fractions, microstructure.stiffness[used], 1))


def compliant_medium(microstructure: Microstructure) -> tuple[float, float]:
    """Bulk and shear modulus of the volume-averaged compliance's isotropic part.

    Rigid phases have no part in it. The complementary energy is descended with it.
    """
    assert microstructure.stiffness is not None
    used = microstructure.phases
    S = compliance(microstructure.stiffness[used])
    bulk, shear = isotropic_moduli(np.tensordot(microstructure.fractions[used], S, 1))
    return 1 / (9 * bulk), 1 / (4 * shear)


def stiffness_bounds(microstructure: Microstructure) -> tuple[float, float]:
    """Least and greatest eigenvalue of C0^-1 C that a solver should count with.

    C0 is the `reference_medium`; the spectrum of the preconditioned operator lies
    between the extremes over all voxels. The least is at least `LEAST_CONTRAST` times
    the greatest.
    """
    assert microstructure.stiffness is not None
    bulk, shear = reference_medium(microstructure)
    root = J / np.sqrt(3 * bulk) + K / np.sqrt(2 * shear)
    C = microstructure.stiffness[microstructure.phases]
    values = np.linalg.eigvalsh(root @ C @ root)
    high = float(values.max())
    return max(float(values.min()), LEAST_CONTRAST * high), high


def relative_contrast(stiffness: np.ndarray, reference: np.ndarray) -> float:
    """Greatest over least eigenvalue of C0^-1 C, over stiffnesses (P, 6, 6)."""
    root = np.linalg.inv(np.linalg.cholesky(reference))
    values = np.linalg.eigvalsh(root @ stiffness @ root.T)
    return float(values.max() / values.min())
