"""The complementary energy of viscoplastic crystals, which creep models minimise.

    W*(s) = <w*(s)> - <s> : E         s equilibrated

is convex and explicit in the stress, so that its minimum along a few directions is
found by Newton's method in their coefficients, with a pass of powers for each trial and
no Green operation. Fields are Mandel (B, 6, X, Y, Z), in the units of `CreepBodies`.
"""

import torch
from torch import Tensor

from ecosurrogate.data.creep_bodies import CreepBodies
from ecosurrogate.mechanics.fields import average, unless_rounding
from ecosurrogate.models.descent import scaled_solution
from ecosurrogate.models.energies import Gradient
from fftmech.tensors import reference_stiffness

STEPS = 60
"""Newton steps at most."""

HALVINGS = 60
"""Of a Newton step, at most: from where powers are flat, it leads too far."""

ARMIJO = 1e-3
"""Part of the decrease that the slope promises which a step must bring."""


class CreepEnergy:
    """W* of a batch of bodies."""

    def __init__(self, bodies: CreepBodies) -> None:
        self.bodies = bodies

    def start(self) -> Tensor:
        """The uniform stress of least W*."""
        return self.bodies.uniform.expand_as(self.bodies.taylor)

    def __call__(self, stress: Tensor) -> Tensor:
        """W* of a stress, (B,), summed in double precision."""
        x, trace = self.bodies.flow.resolve(stress)
        return self._energy(x, trace, self.work(stress))

    def work(self, stress: Tensor) -> Tensor:
        """<s> : E, (B,)."""
        return (average(stress) * self.bodies.rate).sum(dim=(1, 2, 3, 4))

    def gradient(self, stress: Tensor) -> Gradient:
        """h = C0 (e_c - e), and the compatible rate e_c of mean E nearest to e(s).

        h is equilibrated but for rounding, and the steepest descent in the norm of
        C0^-1. It costs one Green operation.
        """
        operators = self.bodies.operators
        e = self.bodies.flow.strain(stress)
        mean = average(e)
        fluctuation = unless_rounding(operators.project_compatible(e - mean), e)
        h = operators.stiffness(fluctuation + self.bodies.rate - e)
        h = unless_rounding(h, operators.stiffness(e))
        return Gradient(h, fluctuation + self.bodies.rate)

    def local_step(self, stress: Tensor, rate: Tensor) -> Tensor:
        """-(de/ds + C0^-1)^-1 (e - rate): a step of Newton's method in each voxel.

        Each crystal is linearised, and embedded in the reference medium; `rate` is the
        compatible one of `gradient`. The result is not in equilibrium.
        """
        bodies = self.bodies
        fluidity = bodies.flow.fluidity(stress)
        bulk, shear = bodies.operators.bulk, bodies.operators.shear
        C0 = torch.as_tensor(reference_stiffness(bulk, shear)).to(stress)
        A = fluidity + torch.linalg.inv(C0)[..., None, None, None]
        e = bodies.flow.strain(stress)
        r = unless_rounding(e - rate, e).permute(0, 2, 3, 4, 1)
        step = torch.linalg.solve(A.permute(0, 3, 4, 5, 1, 2), r)
        return -step.permute(0, 4, 1, 2, 3)

    def direction(self, guess: Tensor) -> Tensor:
        """The equilibrated stress nearest to a guess: one Green operation."""
        return unless_rounding(self.bodies.operators.without_force(guess), guess)

    def minimized(self, stress: Tensor, *directions: Tensor) -> Tensor:
        """The stress of least W* that is reached along all directions together.

        It can be differentiated: coefficients are where the slopes vanish, and their
        derivatives those of an implicit function.
        """
        line = _Line(self, stress, directions)
        with torch.no_grad():
            a, hessian = line.search()
        # the value is that of the search, but for a last step of Newton's method
        slope = line.slope(a)
        a = a - scaled_solution(hessian, slope, line.least)
        a = a.to(stress.dtype)
        steps = [a[:, i, None, None, None, None] * d for i, d in enumerate(directions)]
        return stress + torch.stack(steps).sum(dim=0)

    def _energy(self, x: Tensor, trace: Tensor, work: Tensor) -> Tensor:
        w = self.bodies.flow.energy(x, trace)
        return w.mean(dim=(-3, -2, -1), dtype=torch.float64) - work


class _Line:
    """W* of s + sum_i a_i d_i by the coefficients, (B, m), in double precision.

    x and trace are what `CrystalFlow.resolve` returns of s, X and T of all d_i, with
    the directions after the batch; work and works are <s> : E and <d_i> : E.
    """

    def __init__(
        self, energy: CreepEnergy, stress: Tensor, directions: tuple[Tensor, ...]
    ) -> None:
        self._energy, flow = energy, energy.bodies.flow
        self._flow, (self._x, self._trace) = flow, flow.resolve(stress)
        along = [flow.resolve(d) for d in directions]
        self._X, self._T = (
            torch.stack(parts, dim=1) for parts in zip(*along, strict=True)
        )
        self._work = energy.work(stress)
        works = [energy.work(d) for d in directions]
        self._works = torch.stack(works, dim=-1).double()
        self.least = 2 * torch.finfo(stress.dtype).eps

    def search(self) -> tuple[Tensor, Tensor]:
        """Coefficients of the minimum, and the Hessian there, (B, m, m)."""
        a = torch.zeros_like(self._works)
        value = self.value(a)
        size = self._work.abs()
        for _ in range(STEPS):
            slope, hessian = self.slope(a), self.hessian(a)
            step = -scaled_solution(hessian, slope, self.least)
            promised = -(slope * step).sum(dim=-1)
            going = promised > self.least * size
            if not bool(going.any()):
                break
            part = going.double()
            for _ in range(HALVINGS):
                new = self.value(a + part[:, None] * step)
                enough = new <= value - ARMIJO * part * promised
                if bool((enough | ~going).all()):
                    break
                part = torch.where(enough, part, part / 2)
            taken = going & enough
            a = torch.where(taken[:, None], a + part[:, None] * step, a)
            value = torch.where(taken, new, value)
            if not bool(taken.any()):
                break
        return a, self.hessian(a)

    def value(self, a: Tensor) -> Tensor:
        """W*, (B,)."""
        return self._energy._energy(
            *self._at(a), self._work + (a * self._works).sum(-1)
        )

    def slope(self, a: Tensor) -> Tensor:
        """Derivatives of W*, (B, m)."""
        x, trace = self._at(a)
        slip, _ = self._flow.slopes(x)
        volume = trace / (9 * self._flow.bulk)
        return _sum(slip[:, None], self._X, volume[:, None], self._T) - self._works

    def hessian(self, a: Tensor) -> Tensor:
        """Second derivatives, (B, m, m)."""
        x, _ = self._at(a)
        _, slope = self._flow.slopes(x)
        softness = 1 / (9 * self._flow.bulk[:, None])
        rows = [
            _sum(slope[:, None] * X[:, None], self._X, softness * T[:, None], self._T)
            for X, T in zip(self._X.unbind(1), self._T.unbind(1), strict=True)
        ]
        return torch.stack(rows, dim=1)

    def _at(self, a: Tensor) -> tuple[Tensor, Tensor]:
        x, trace = self._x, self._trace
        for i, own in enumerate(a.to(x.dtype).unbind(-1)):
            own = own[:, None, None, None]
            x = torch.addcmul(x, own[:, None], self._X[:, i])
            trace = torch.addcmul(trace, own, self._T[:, i])
        return x, trace


def _sum(slip: Tensor, X: Tensor, volume: Tensor, T: Tensor) -> Tensor:
    """<sum_a slip_a X_a + volume T> of each direction, (B, m)."""
    systems = (slip * X).sum(dim=2) + volume * T
    return systems.mean(dim=(-3, -2, -1), dtype=torch.float64)
