"""Linear elasticity at points, without a matrix for each of them in memory."""

import numpy as np

from fftmech.kernels.compiled import U, compiled
from fftmech.kernels.partwise import Part, PartwiseTangent
from fftmech.materials.base import Response, StrainStep
from fftmech.materials.hooke import HookeMaterial


def respond(material: HookeMaterial, step: StrainStep, threads: int = 1) -> Response:
    """See `Material.respond`; `threads` share the points."""
    rows = np.ascontiguousarray(step.rows, np.int32)
    tangent = HookeTangent(material.stiffness, rows, threads)
    stress = tangent.apply(step.strain)
    return Response(stress, step.state, None if step.precision is None else tangent)


class HookeTangent(PartwiseTangent):
    """ds = C de.

    Parameters
    ----------
    table
        Mandel, (R, 6, 6), stress units.
    rows
        (n,), int32.
    threads
        Threads that share the points.
    """

    def __init__(self, table: np.ndarray, rows: np.ndarray, threads: int) -> None:
        super().__init__(threads)
        self._tables = {np.dtype(t): table.astype(t) for t in (np.float32, np.float64)}
        self._rows = rows

    def matrices(self) -> np.ndarray:
        """See `fftmech.materials.tangent.matrices`."""
        table = self._tables[np.dtype(np.float64)]
        return np.ascontiguousarray(table.transpose(1, 2, 0))[:, :, self._rows]

    def _apply(self, part: Part, first: int, last: int) -> None:
        _apply(part, self._rows, self._tables[part.strain.dtype], first, last)


@compiled
def _apply(part, rows, table, first, last):
    n, strain, out = U(part.pitch), part.strain, part.out
    for p in range(U(first), U(last)):
        r, k = rows[p], p - U(part.start)
        e0, e1, e2 = strain[k], strain[n + k], strain[U(2) * n + k]
        e3, e4, e5 = strain[U(3) * n + k], strain[U(4) * n + k], strain[U(5) * n + k]
        for i in range(6):
            C = table[r, i]
            out[U(i) * n + k] = (
                C[0] * e0 + C[1] * e1 + C[2] * e2 + C[3] * e3 + C[4] * e4 + C[5] * e5
            )
