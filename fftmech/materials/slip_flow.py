"""The stress at which elastic strain and slip add up to a given strain.

At each point the stress s solves

    r(s) = D s + sum_a f_a P_a - e = 0,     f_a = k sign(tau_a) |tau_a / g|^n

with tau_a = P_a : s, and k = rate0 dt, n and g of the system's family, e the strain
less the slip there was, and D the elastic compliance; or, without elasticity, k =
rate0, e a rate, and D the compliance of the volume. If g is given, r is the gradient of
a convex function of s. If g follows from the accumulated slip at the end of the step,
G = G0 + sum |f_a|, then G is eliminated: a scalar equation, which s enters by the
families' sums of |tau_a|^n alone.

Newton's method is damped by a bound that the solution keeps. Slip dissipates no more
than s : e, and the stresses of {|tau_a| <= g} are bounded where systems resolve them:
no |f_a| exceeds a multiple of |e|, `fftmech.materials.slip.farthest`. So steps end
where a system would slip by more, beyond which powers are steep. The iteration begins
at the stress along a guess that flows at about the rate it should.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from fftmech.arrays.backend import namespace
from fftmech.materials.isotropy import nonzero
from fftmech.materials.slip import resistance
from fftmech.materials.tangent import held
from fftmech.tensors import K

ITERATIONS = 200

# Iterations after which a step must also lower |r|: where hardening is strong, some
# would go in circles.
PATIENCE = 20
HALVINGS = 30

# A step of this size, relative to the largest resolved stress, is the last: the error
# that it leaves is of the order of n times its square.
LAST = 1e-8

# Relative to a stress, and to |e|: less is an error of rounding.
ROUNDING = 1e-14

# Softness added to all directions, relative to the softest: no matrix is singular.
REGULAR = 1e-14

# Part of a step that a point outside the polytope may take outwards.
OUTWARDS = 0.05

SLIP_ITERATIONS = 60
# Relative: what it leaves is of the order of n times its square.
SLIP_LAST = 1e-9


class Flow(NamedTuple):
    """Slip under a stress, and the residual and its derivative.

    Attributes
    ----------
    slip
        f_a, (n, N).
    accumulated
        G that g belongs to, (n,).
    resistance
        g of each system that f was computed with, (n, N), stress units.
    residual
        r, (n, 6).
    jacobian
        dr/ds, (n, 6, 6).
    """

    slip: Any
    accumulated: Any
    resistance: Any
    residual: Any
    jacobian: Any


@dataclass(frozen=True)
class SlipFlow:
    """The problem of n points, which come first, with N systems in F families.

    Attributes
    ----------
    schmid
        P_a, Mandel (n, N, 6).
    family
        Of each system, (N,).
    compliance, target
        D, Mandel (n, 6, 6), and e, (n, 6).
    guess
        A direction to begin with, dev(guess) : dev(e) > 0, (n, 6).
    farthest
        Largest |f_a| / |e|, (n,).
    rate, exponent
        k and n, (n, F).
    hardening
        tau0, tau1, theta0, theta1, (4, n, F).
    accumulated
        G0, (n,).
    implicit
        Whether g is that of the end of the step instead of its beginning.
    linear_below
        |tau_a| / g below which f_a is linear, (n, F).
    foreseen
        Stress that a tangent foresaw, (n, 6), or None: see `held`.
    """

    schmid: Any
    family: Any
    compliance: Any
    target: Any
    guess: Any
    farthest: Any
    rate: Any
    exponent: Any
    hardening: Any
    accumulated: Any
    implicit: bool
    linear_below: Any
    foreseen: Any = None

    def solve(self) -> tuple[Any, Flow]:
        """Stress, (n, 6), and its flow: NaN where the iteration fails."""
        xp = namespace(self.target)
        e = xp.linalg.norm(self.target, axis=1)
        slips = (self.farthest * e)[:, None] / self.rate
        bound = (slips ** (1 / self.exponent)).max(axis=1)
        s = self._first()
        flow = self._flow(s, self.accumulated)
        going = xp.ones(len(s), dtype=bool)
        for iteration in range(ITERATIONS):
            step = -xp.linalg.solve(flow.jacobian, flow.residual[..., None])[..., 0]
            tau, change = self.resolve(s), self.resolve(step)
            part = _inside(tau, change, bound[:, None] * flow.resistance)
            small = LAST * abs(tau).max(axis=1) + ROUNDING * xp.linalg.norm(s, axis=1)
            last = (part == 1) & (abs(change).max(axis=1) <= small)
            last = last | (_size(flow) <= ROUNDING * e)
            part = xp.where(going, part, 0.0)
            old, flow = flow, self._flow(s + part[:, None] * step, flow.accumulated)
            for _ in range(HALVINGS if iteration >= PATIENCE else 0):
                worse = going & ~last & ~(_size(flow) < _size(old))
                if not bool(worse.any()):
                    break
                part = xp.where(worse, part / 2, part)
                flow = self._flow(s + part[:, None] * step, old.accumulated)
            s = s + part[:, None] * step
            going = going & ~last
            if not bool((going & (_size(flow) < xp.inf)).any()):
                break
        if bool(going.any()):
            s = xp.where(going[:, None], xp.nan, s)
            flow = self._flow(s, flow.accumulated)
        if self.foreseen is not None:
            flow = self._flow(s, flow.accumulated, self.resolve(self.foreseen))
        return s, flow

    def slip(self, stress: Any) -> tuple[Any, Any]:
        """f of stresses (n, 6), (n, N), and the accumulated slip that g belongs to."""
        tau, G = self.resolve(stress), self.accumulated
        if self.implicit:
            G = self._end(abs(tau), G)
        return self._powers(tau, self._resistance(G)[0])[0], G

    def _powers(self, tau: Any, g: Any) -> tuple[Any, Any]:
        """f, and |f| / |x| with x = tau / g, (n, N), from g by families."""
        xp, own = namespace(tau), self.family
        x = tau / g[:, own]
        size = xp.maximum(abs(x), self.linear_below[:, own])
        power = self.rate[:, own] * size ** (self.exponent[:, own] - 1)
        return power * x, power

    def _first(self) -> Any:
        """The guess times the lesser of its elastic and its plastic multiple."""
        xp = namespace(self.target)
        g = self._resistance(self.accumulated)[0][:, self.family]
        n, rate = self.exponent[:, self.family], self.rate[:, self.family]
        x = abs(self.resolve(self.guess)) / g
        top = nonzero(x.max(axis=1))[:, None]
        power = rate * g * top * (x / top) ** (n + 1)
        work = (self.guess * self.target).sum(axis=1)
        stored = (self.guess * _multiply(self.compliance, self.guess)).sum(axis=1)
        elastic = work / nonzero(stored)
        part = xp.where(stored > 0, elastic, xp.inf)
        # each family by itself: only what there is limits the multiple
        for k in range(self.rate.shape[1]):
            dissipation = power[:, self.family == k].sum(axis=1)
            ratio = (work / nonzero(dissipation)) ** (1 / self.exponent[:, k])
            plastic = xp.where(dissipation > 0, ratio / top[:, 0], xp.inf)
            part = xp.minimum(part, plastic)
        return xp.where(part < xp.inf, part, elastic)[:, None] * self.guess

    def _resistance(self, G: Any) -> tuple[Any, Any]:
        """g and dg/dG of each family, (n, F)."""
        return resistance(G[:, None], self.hardening)

    def resolve(self, stress: Any) -> Any:
        """tau_a of stresses (n, 6), (n, N)."""
        return namespace(stress).einsum("nai,ni->na", self.schmid, stress)

    def _flow(self, s: Any, accumulated: Any, foreseen: Any = None) -> Flow:
        """f, r and dr/ds of a stress; `accumulated` is where to look for G first."""
        xp = namespace(s)
        own, P = self.family, self.schmid
        n, tau = self.exponent[:, own], self.resolve(s)
        sign = xp.sign(tau)
        G = self.accumulated
        if self.implicit:
            G = self._end(abs(tau), accumulated)
        by_family, slope = self._resistance(G)
        f, power = self._powers(tau, by_family)
        g, slope = by_family[:, own], slope[:, own]
        soft = n if foreseen is None else held(n, foreseen, tau)
        df = xp.where(abs(tau) / g < self.linear_below[:, own], 1.0, soft) * power / g
        residual = _multiply(self.compliance, s) + xp.einsum("na,nai->ni", f, P)
        least = xp.asarray(K) * (REGULAR * df.sum(axis=1))[:, None, None]
        slips = xp.einsum("na,nai,naj->nij", df, P, P)
        jacobian = self.compliance + slips + least
        if self.implicit:
            # dG = sum df |dtau| - sum |h| dG, and df/dG = -h
            h = soft * slope / g * f
            weight = 1 / (1 + abs(h).sum(axis=1))
            b = xp.einsum("na,nai->ni", h, P)
            c = xp.einsum("na,nai->ni", sign * df, P)
            jacobian = jacobian - weight[:, None, None] * b[:, :, None] * c[:, None]
        return Flow(f, G, g, residual - self.target, jacobian)

    def _end(self, tau: Any, G: Any) -> Any:
        """G = G0 + sum k (|tau| / g(G))^n by Newton's method, (n,).

        The equation is concave and increasing in G: from below its root, where the
        first iteration goes, it is approached from one side.
        """
        xp, own = namespace(G), self.family
        g0, slope = self._resistance(G)
        powers = self.rate[:, own] * (tau / g0[:, own]) ** self.exponent[:, own]
        families = range(self.rate.shape[1])
        top = xp.stack([powers[:, own == k].sum(axis=1) for k in families], axis=1)
        g = g0
        for _ in range(SLIP_ITERATIONS):
            totals = top * (g0 / g) ** self.exponent
            excess = self.accumulated + totals.sum(axis=1) - G
            falls = (self.exponent * totals * slope / g).sum(axis=1)
            new = xp.maximum(self.accumulated, G + excess / (1 + falls))
            step, G = abs(new - G), new
            g, slope = self._resistance(G)
            if not bool((step > SLIP_LAST * G).any()):
                break
        return G


def _size(flow: Flow) -> Any:
    return namespace(flow.residual).linalg.norm(flow.residual, axis=1)


def _multiply(matrix: Any, vector: Any) -> Any:
    return namespace(vector).einsum("nij,nj->ni", matrix, vector)


def _inside(tau: Any, change: Any, bound: Any) -> Any:
    """Largest part <= 1 of the change that keeps |tau| <= bound, (n,)."""
    xp = namespace(tau)
    outwards = xp.where(change < 0, -tau, tau)
    speed = abs(change)
    room = (bound - outwards) / xp.where(speed > 0, speed, 1.0)
    room = xp.where(room > 0, room, OUTWARDS)
    return xp.minimum(xp.where(speed > 0, room, 1.0).min(axis=1), 1.0)
