"""The homogeneous isotropic reference medium: preconditioner and projections."""

from functools import lru_cache
from typing import Any

import numpy as np

from fftmech.arrays.backend import Backend, cpu_backend, namespace
from fftmech.discretization import discretization
from fftmech.discretization.base import Discretization
from fftmech.discretization.grid import Grid
from fftmech.tensors import J, K
from fftmech.tensors.fields import mean, multiply
from fftmech.tensors.stiffness import reference_stiffness


class Green:
    """Exact inverse of the reference problem, M = (D* C0 D)^+, on symbols.

    With the acoustic tensor of the discrete gradient k,

        A(xi) = mean_q [ lambda conj(k) k^T + mu (|k|^2 I + k k^H) ],

    (of a scheme whose trace is that of another one, d: with -2 mu / 3 for lambda, and
    bulk conj(d) d^T beside it)

    M is A^-1 frequency by frequency and zero on the scheme's null modes; on the Nyquist
    strains of `fourier` it is C0^-1.

    Parameters
    ----------
    scheme, grid, backend
        The discrete gradient and the arrays it works on.
    bulk, shear
        Moduli of the reference medium (stress units), both positive.
    precision
        Real dtype of the fields.
    """

    def __init__(
        self,
        scheme: Discretization,
        grid: Grid,
        backend: Backend,
        bulk: float,
        shear: float,
        precision: Any = np.float64,
    ) -> None:
        self.scheme = scheme
        self.grid = grid
        self.backend = backend
        self.stiffness = reference_stiffness(bulk, shear)
        self.compliance = J / (3 * bulk) + K / (2 * shear)
        A = _acoustic_tensor(scheme, grid, backend.xp, bulk - 2 * shear / 3, shear)
        inverse = _hermitian_inverse(A, scheme.null_modes(grid, backend.xp), backend.xp)
        complex_type = np.result_type(precision, np.complex64)
        self._inverse = {
            key: (value if abs(value.imag).max() > 0 else value.real).astype(
                precision if abs(value.imag).max() == 0 else complex_type
            )
            for key, value in inverse.items()
        }

    @property
    def symbols(self) -> dict[tuple[int, int], Any]:
        """Upper triangle of M, (i, j) -> (*spectral_shape,), zero on null modes.

        Length^2 per stress; real where the symbols of the gradient share a phase.
        """
        return self._inverse

    def solve(self, force: Any) -> Any:
        """M f: (*batch, unknowns, x, y, z) -> the same, with zero mean displacement."""
        xp = self.backend.xp
        u = apply_symbols(self._inverse, self.backend.rfftn(force[..., :3, :, :, :]))
        displacement = self.backend.irfftn(u, self.grid.shape)
        if force.shape[-4] == 3:
            return displacement
        nyquist = self._multiply(self.compliance, force[..., 3:, :, :, :])
        return xp.concatenate([displacement, nyquist], axis=-4)

    def project_compatible(self, strain: Any) -> Any:
        """Nearest compatible field in the C0 norm, mean kept: <e> + D M D* C0 e.

        `strain` is Mandel at integration points, (*batch, q, 6, x, y, z).
        """
        force = self.scheme.strain_adjoint(
            self._multiply(self.stiffness, strain), self.grid
        )
        fluctuation = self.scheme.strain(self.solve(force), self.grid)
        return mean(strain)[..., None, :, None, None, None] + fluctuation

    def project_equilibrated(self, stress: Any) -> Any:
        """Nearest equilibrated field in the C0^-1 norm: s - C0 D M D* s, mean kept.

        `stress` is Mandel at integration points, (*batch, q, 6, x, y, z).
        """
        u = self.solve(self.scheme.strain_adjoint(stress, self.grid))
        strain = self.scheme.strain(u, self.grid)
        return stress - self._multiply(self.stiffness, strain)

    def _multiply(self, matrix: np.ndarray, field: Any) -> Any:
        return multiply(self.backend.xp.asarray(matrix, dtype=field.dtype), field)


def apply_symbols(M: dict[tuple[int, int], Any], f: Any) -> Any:
    """M f of a spectrum (*batch, 3, *spectral_shape), of any array library.

    Entries of the Hermitian M below its diagonal may be left out.
    """
    xp = namespace(f)
    x, y, z = xp.moveaxis(f, -4, 0)

    def entry(i: int, j: int) -> Any:
        return M[i, j] if (i, j) in M else M[j, i].conj()

    rows = [entry(i, 0) * x + entry(i, 1) * y + entry(i, 2) * z for i in range(3)]
    return xp.stack(rows, -4)


@lru_cache(maxsize=8)
def torch_symbols(
    scheme: str, grid: Grid, bulk: float, shear: float, dtype: Any, device: Any
) -> dict[tuple[int, int], Any]:
    """`Green.symbols` as tensors, all nine entries, rounded from double precision.

    Parameters
    ----------
    scheme, grid, bulk, shear
        As in `Green`.
    dtype, device
        Real type of the fields, and where they are.
    """
    import torch

    green = Green(discretization(scheme), grid, cpu_backend(), bulk, shear)
    symbols = {}
    # tensors of inference mode could not be used in training later
    with torch.inference_mode(False):
        for (i, j), value in green.symbols.items():
            entry = torch.as_tensor(value, device=device)
            entry = entry.to(dtype.to_complex() if entry.is_complex() else dtype)
            symbols[i, j] = entry
            symbols[j, i] = entry.conj().resolve_conj()
    return symbols


def _acoustic_tensor(
    scheme: Discretization, grid: Grid, xp: Any, lame: float, shear: float
) -> dict[tuple[int, int], Any]:
    """Upper triangle of A(xi), arrays of shape grid.spectral_shape."""
    k = scheme.symbol(grid, xp)
    mean_dilatation = scheme.dilatation
    bulk = 0.0
    if mean_dilatation is not None:
        # the volumetric part is that of another gradient
        (d,) = mean_dilatation.symbol(grid, xp)
        lame, bulk = -2 * shear / 3, lame + 2 * shear / 3
    square = (k.real**2 + k.imag**2).sum(axis=1).mean(axis=0)
    A = {}
    for i in range(3):
        for j in range(i, 3):
            coupling = k[:, i].conj() * k[:, j]
            A[i, j] = (lame * coupling + shear * coupling.conj()).mean(axis=0)
            if mean_dilatation is not None:
                A[i, j] = A[i, j] + bulk * d[i].conj() * d[j]
        A[i, i] = A[i, i].real + shear * square
    if all(abs(a.imag).max() <= 1e-12 * abs(a).max() for a in A.values()):
        # symbols with one common phase, rotated among them: rounding only
        A = {key: a.real + 0j for key, a in A.items()}
    return A


def _hermitian_inverse(
    A: dict[tuple[int, int], Any], null: Any, xp: Any
) -> dict[tuple[int, int], Any]:
    """Upper triangle of A^-1 by cofactors, zero where `null`."""
    a, b, c = A[0, 0], A[0, 1], A[0, 2]
    d, e, f = A[1, 1], A[1, 2], A[2, 2]
    cofactors = {
        (0, 0): d * f - e * e.conj(),
        (0, 1): c * e.conj() - b * f,
        (0, 2): b * e - c * d,
        (1, 1): a * f - c * c.conj(),
        (1, 2): c * b.conj() - a * e,
        (2, 2): a * d - b * b.conj(),
    }
    determinant = (
        a * cofactors[0, 0] + b * cofactors[0, 1].conj() + c * cofactors[0, 2].conj()
    ).real
    scale = xp.where(null, 0.0, 1.0 / xp.where(null, 1.0, determinant))
    return {key: value * scale for key, value in cofactors.items()}
