"""Radial tangents of isotropic laws, applied in one pass over the points."""

from dataclasses import dataclass

import numpy as np

from fftmech.arrays.threads import parallel
from fftmech.kernels.compiled import compiled
from fftmech.materials.isotropy import radial_matrices


@dataclass(frozen=True)
class FusedRadialTangent:
    """`fftmech.materials.isotropy.RadialTangent`, applied in one pass.

    Attributes
    ----------
    kept
        lame, shear and the six components of m, (8, n).
    threads
        Threads that share the points.
    """

    kept: np.ndarray
    threads: int

    def apply(self, strain: np.ndarray) -> np.ndarray:
        """ds of de, (6, n)."""
        strain = np.ascontiguousarray(strain)
        stress = np.empty_like(strain)

        def part(first: int, last: int) -> None:
            _apply(self.kept, strain, stress, first, last)

        parallel(part, strain.shape[1], self.threads)
        return stress

    def matrices(self) -> np.ndarray:
        """See `fftmech.materials.tangent.matrices`."""
        return radial_matrices(self.kept[0], self.kept[1], self.kept[2:])


@compiled
def _apply(kept, strain, stress, first, last):
    for i in range(first, last):
        e0, e1, e2 = strain[0, i], strain[1, i], strain[2, i]
        e3, e4, e5 = strain[3, i], strain[4, i], strain[5, i]
        m0, m1, m2 = kept[2, i], kept[3, i], kept[4, i]
        m3, m4, m5 = kept[5, i], kept[6, i], kept[7, i]
        along = m0 * e0 + m1 * e1 + m2 * e2 + m3 * e3 + m4 * e4 + m5 * e5
        pressure, shear = kept[0, i] * (e0 + e1 + e2), kept[1, i]
        stress[0, i] = pressure + shear * e0 - along * m0
        stress[1, i] = pressure + shear * e1 - along * m1
        stress[2, i] = pressure + shear * e2 - along * m2
        stress[3, i] = shear * e3 - along * m3
        stress[4, i] = shear * e4 - along * m4
        stress[5, i] = shear * e5 - along * m5
