"""Small-strain linear elasticity in a box with faces.

The box is padded with one layer of void voxels across each axis that is not periodic,
and the problem is periodic again: on the padded grid D* C D is the operator of the body
with free faces, with the scheme's own stencils up to the last voxel, and N voxels have
N + 1 nodes. With u = E.x + lift + v, what faces prescribe is in E and in the lift; v is
zero there.
"""

from typing import Any

import numpy as np

from fftmech.arrays.backend import Backend, to_numpy
from fftmech.discretization.base import Discretization
from fftmech.discretization.grid import Grid
from fftmech.discretization.rotated import ROTATED
from fftmech.loads.boundary import Boundary
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.operators.green_nonperiodic import NonperiodicGreen
from fftmech.operators.reference_medium import reference_medium
from fftmech.problems.equilibrium import Equilibrium, Solution, on_host
from fftmech.problems.linear import Problem
from fftmech.results.result import FieldPlanes
from fftmech.tensors import matrix_from_mandel
from fftmech.tensors.stiffness import reference_stiffness


class NonperiodicProblem(Equilibrium):
    """Linear elasticity of a box with faces, under one load.

    Volume averages of `balance`, `curvature` and `dot` are over the padded box.

    Parameters
    ----------
    microstructure
        Checked, of the box itself.
    load
        What `Boundary.affine` returned.
    boundary
        Conditions on the faces.
    scheme, backend, precision
        Discretization with nodes at the corners of voxels; arrays; real dtype.
    reference
        Bulk and shear modulus of the reference medium; `reference_medium` if None.
    unit
        Factor of the boundary's displacement.
    """

    load: Load

    def __init__(
        self,
        microstructure: Microstructure,
        load: Load,
        boundary: Boundary,
        scheme: Discretization,
        backend: Backend,
        precision: Any = np.float64,
        reference: tuple[float, float] | None = None,
        unit: float = 1.0,
    ) -> None:
        self.boundary = boundary
        self.box = microstructure.grid
        self.microstructure = padded(microstructure, boundary)
        reference = reference or reference_medium(microstructure)
        grid = self.microstructure.grid
        self.part = self.box.voxels / grid.voxels
        stress = {name: self.part * value for name, value in load.stress.items()}
        load = Load(load.strain, stress)
        self.body = Problem(
            self.microstructure, load, scheme, backend, precision, reference
        )
        super().__init__(
            grid,
            scheme,
            backend,
            precision,
            load,
            reference,
            self.part * reference_stiffness(*reference),
            None,
        )
        self.search = self.body.search
        values = boundary.values(self.box)
        self.lift = None if values is None else self.asarray(unit * values)
        self.inverse = NonperiodicGreen(
            scheme, self.box, boundary, *reference, self.search, backend.threads
        )

    @property
    def scale(self) -> float:
        """Energy density that the load would put into the reference medium."""
        scale = self.body.scale
        if self.lift is not None:
            strain = float(abs(self.lift).max()) / min(self.box.size)
            scale += strain**2 * float(self.body.reference_stiffness.trace())
        return scale

    def prepare(self, mixed: bool) -> float:
        """Compile kernels; see `Equilibrium.prepare`."""
        return 0.0 if self.body.kernels is None else self.body.prepare(mixed)

    def balance(
        self, v: Any, dtype: Any = None, out: Any = None
    ) -> tuple[np.ndarray, Any]:
        """Mean stress of v, Mandel (6,), and its residual, zero where u is fixed."""
        stress, r = self.body.balance(self._with_lift(v), dtype, out)
        self.release(r)
        return stress, r

    def curvature(self, p: Any, out: Any = None) -> tuple[Any, float]:
        """K p, written to `out` if there is one, and <p, K p>."""
        out, work = self.body.curvature(p, out)
        self.release(out)
        return out, work

    def precondition(self, r: Any) -> Any:
        """M r: nearly the exact solution for the reference medium."""
        z = self.backend.xp.empty_like(r)
        z[: -self.means] = self.inverse.solve(self.displacement(r)).ravel()
        z[-self.means :] = self.asarray(self._free_compliance) @ r[-self.means :]
        return z

    def dot(self, a: Any, b: Any) -> float:
        """Volume average of a.b over the padded box."""
        return self.body.dot(a, b)

    def add(self, v: Any, alpha: float, p: Any) -> None:
        """v <- v + alpha p."""
        self.body.add(v, alpha, p)

    def field_planes(self, v: Any) -> FieldPlanes:
        """Fields of v, padded."""
        return self.body.field_planes(self._with_lift(v))

    def solution(self, v: Any, mean_stress: np.ndarray) -> Solution:
        """The fields and means of v; the mean stress is that of the box, not padded."""
        nx, ny, _ = self.box.shape
        padded_planes = on_host(self.field_planes(v))

        def planes(part: slice) -> tuple[Any, Any, Any]:
            first, last, _ = part.indices(self.box.shape[2])
            strain, stress, energy = (
                field[..., :nx, :ny, :] for field in padded_planes(slice(first, last))
            )
            return strain, stress, energy

        means = np.zeros((2, 6))
        for part in self.box.slabs(13 * self.precision.itemsize):
            for total, field in zip(means, planes(part)[:2], strict=True):
                total += field.sum(axis=(1, 2, 3), dtype=float)
        means /= self.box.voxels
        return Solution(self.fluctuation(v, means[0]), planes, *means)

    def fluctuation(self, v: Any, mean_strain: np.ndarray) -> np.ndarray:
        """Displacement at the nodes less that of its mean gradient, (3, *nodes).

        x from the corner of the box; shifts and turns that the faces leave free are
        zero on average, those that alternate from voxel to voxel too.
        """
        u = to_numpy(self.displacement(self._with_lift(v))).copy()
        E = matrix_from_mandel(to_numpy(self.mean_strain(v)).astype(float))
        E -= self.boundary.mean_gradient(mean_strain)
        counts = self.boundary.nodes(self.box)
        x = [
            (h * np.arange(n)).reshape([-1 if a == axis else 1 for a in range(3)])
            for axis, (h, n) in enumerate(zip(self.box.h, counts, strict=True))
        ]
        for a in range(3):
            u[a] += E[a, 0] * x[0] + E[a, 1] * x[1] + E[a, 2] * x[2]
        if self.scheme.name == "rotated":
            remove_alternating_turns(u, self.boundary, self.box)
        for a in range(3):
            if self.boundary.moves(a):
                u[a] -= u[a].mean()
            for b in range(a):
                if self.boundary.turns(a, b):
                    arm = x[a] - x[a].mean(), x[b] - x[b].mean()
                    turn = (arm[0] * u[b] - arm[1] * u[a]).mean()
                    turn /= (arm[0] ** 2).mean() + (arm[1] ** 2).mean()
                    u[b] -= turn * arm[0]
                    u[a] += turn * arm[1]
        return u

    def _with_lift(self, v: Any) -> Any:
        if self.lift is None:
            return v
        v = v.copy()
        self.displacement(v)[...] += self.lift
        return v

    def release(self, r: Any) -> None:
        """Drop the reactions of faces."""
        for i, force in enumerate(self.displacement(r)):
            for axis in range(3):
                if self.boundary.fixed(i, axis):
                    faces = np.moveaxis(force, axis, 0)
                    faces[0] = 0
                    faces[-1] = 0


def remove_alternating_turns(u: np.ndarray, boundary: Boundary, box: Grid) -> None:
    """Take turns that strain nothing out of nodal values (3, *nodes) of `rotated`.

    u_a = h_b (-1)^(i+j) i f, u_b = -h_a (-1)^(i+j) j f, with nodes i and j along two
    axes a and b and any f along the third, turn neighbours in opposite directions.
    Where faces across a and b leave them free, each layer keeps none of them.
    """
    nodes = Grid(u.shape[1:], box.spacing)
    for a, b, c in ((0, 1, 2), (0, 2, 1), (1, 2, 0)):
        if any(
            boundary.periodic[axis] or boundary.fixed(component, axis)
            for axis in (a, b)
            for component in (a, b)
        ):
            continue
        turn = ROTATED.derivative(u[b], a, nodes) - ROTATED.derivative(u[a], b, nodes)
        nx, ny, nz = box.shape
        turn = np.moveaxis(turn[:nx, :ny, :nz], (a, b, c), (0, 1, 2))
        first, second = np.ogrid[: nodes.shape[a], : nodes.shape[b]]
        sign = (-1.0) ** (first + second)
        inside = sign[:-1, :-1, None]
        inside = inside - inside.mean()
        mean = -(inside * turn).mean(axis=(0, 1)) / (2 * (inside**2).mean())
        # f at nodes along c that has these means in voxels, zero on faces that hold it
        layers, count = len(mean), nodes.shape[c]
        averages = (np.eye(layers, count) + np.roll(np.eye(layers, count), 1, 1)) / 2
        if boundary.fixed(a, c) or boundary.fixed(b, c):
            averages[:, [0, -1]] = 0
        f = np.linalg.lstsq(averages, mean)[0]
        views = [np.moveaxis(u[i], (a, b, c), (0, 1, 2)) for i in (a, b)]
        for view, h, number in zip(
            views, (box.h[b], -box.h[a]), (first, second), strict=True
        ):
            middle = number - number.mean()
            view -= (h * sign * middle)[..., None] * f


def padded(microstructure: Microstructure, boundary: Boundary) -> Microstructure:
    """Return the body with a layer of void across each axis that is not periodic."""
    grid, C = microstructure.grid, microstructure.stiffness
    assert C is not None
    shape = boundary.nodes(grid)
    void = max(len(C), int(microstructure.phase.max()) + 1)
    layers = [(0, new - old) for new, old in zip(shape, grid.shape, strict=True)]
    tables = {}
    for name in ("stiffness", "eigenstrain", "thermal_expansion"):
        table = getattr(microstructure, name)
        if table is not None:
            tables[name] = np.zeros((void + 1, *table.shape[1:]))
            tables[name][: len(table)] = table
    return Microstructure(
        Grid(shape, grid.spacing, grid.origin),
        # the void may be one id more than the type of the map holds
        np.pad(microstructure.phase.astype(np.int32), layers, constant_values=void),
        **tables,
    )
