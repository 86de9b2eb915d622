"""Laminates solved layer by layer, with no grid: a reference for the solvers.

Layers are stacked along x, and strain and stress are uniform in each. Interfaces ask
for equal tractions s_xx, s_xy, s_xz (P_xx, P_yx, P_zx) and equal strains e_yy, e_zz,
e_yz (columns y and z of F) in all layers.
"""

import numpy as np
from scipy.optimize import root

from fftmech.materials.base import StrainStep


class LaminateReference:
    """Path of a laminate: `step` after `step`, from the virgin layers on.

    Parameters
    ----------
    layers
        Fraction of the volume, material, and row of its constants, of each layer.

    Attributes
    ----------
    strain, stress
        Of each layer at the end of the last step, (L, c), Mandel, or F and P by rows.
    state
        Internal variables of each layer, (k,).
    """

    def __init__(self, layers):
        self.fractions = np.array([fraction for fraction, _, _ in layers], dtype=float)
        assert abs(self.fractions.sum() - 1) < 1e-12
        self.layers = [(material, np.array([row])) for _, material, row in layers]
        finite = layers[0][1].finite
        self.across = [0, 3, 6] if finite else [0, 4, 5]
        self._rest = np.eye(3).ravel() if finite else np.zeros(6)
        self.strain = np.tile(self._rest, (len(layers), 1))
        self.stress = np.zeros_like(self.strain)
        self.state = [material.start(row)[:, 0] for material, row in self.layers]
        # stress of a unit strain
        self._scale = max(
            material.stiffness[row].max() for material, row in self.layers
        )

    @property
    def mean_strain(self):
        """(c,)."""
        return self.fractions @ self.strain

    @property
    def mean_stress(self):
        """(c,)."""
        return self.fractions @ self.stress

    def step(self, load, dt=1.0):
        """Bring the means to those of a load (`free`, `mean_strain`, `mean_stress`).

        Returns the mean stress, (c,).
        """
        target = np.where(load.free, self.mean_strain, load.mean_strain)
        start = self.strain + target - self.mean_strain
        unit = self._scale / (dt if self.layers[0][0].rate else 1.0)

        def residual(x):
            return self._residual(x.reshape(self.strain.shape), load, dt, unit)

        x = root(residual, start.ravel(), jac=True, tol=1e-10).x
        for _ in range(3):
            r, jacobian = residual(x)
            x = x - np.linalg.solve(jacobian, r)
        strain = x.reshape(self.strain.shape)
        error = np.abs(residual(x)[0]).max()
        if not error <= 1e-10 * np.abs(strain - self._rest).max() + 1e-15:
            raise ArithmeticError(f"laminate not solved: residual {error:.2g}")
        self._respond(strain, dt, keep=True)
        return self.mean_stress

    def _respond(self, strain, dt, keep=False):
        """Stress (L, c) and tangent (L, c, c)."""
        stress, tangent, states = np.empty_like(strain), [], []
        directions = np.eye(strain.shape[1])
        for i, (material, row) in enumerate(self.layers):
            many = np.repeat(row, len(directions))
            points = [
                np.repeat(a[:, None], len(directions), axis=1)
                for a in (strain[i], self.strain[i], self.state[i])
            ]
            response = material.respond(StrainStep(many, *points, dt, np.float64))
            stress[i], state = response.stress[:, 0], response.state
            tangent.append(response.tangent.apply(directions))
            states.append(state[:, 0])
        if keep:
            self.strain, self.stress, self.state = strain, stress, states
        return stress, np.array(tangent)

    def _residual(self, strain, load, dt, unit):
        """Residuals (L c,), all of the size of a strain, and their derivative."""
        stress, tangent = self._respond(strain, dt)
        stress, tangent = stress / unit, tangent / unit
        count, c = strain.shape
        r, jacobian = np.zeros((count, c)), np.zeros((count, c, count, c))
        for k in range(c):
            # the layers agree with the first in component k of the stress or strain
            for i in range(1, count):
                if k in self.across:
                    r[i, k] = stress[i, k] - stress[0, k]
                    jacobian[i, k, i] = tangent[i, k]
                    jacobian[i, k, 0] = -tangent[0, k]
                else:
                    r[i, k] = strain[i, k] - strain[0, k]
                    jacobian[i, k, i, k], jacobian[i, k, 0, k] = 1.0, -1.0
            # and the means with the load
            if load.free[k]:
                r[0, k] = self.fractions @ stress[:, k] - load.mean_stress[k] / unit
                jacobian[0, k] = self.fractions[:, None] * tangent[:, k]
            else:
                r[0, k] = self.fractions @ strain[:, k] - load.mean_strain[k]
                jacobian[0, k, :, k] = self.fractions
        return r.ravel(), jacobian.reshape(r.size, r.size)
