"""Crystals whose slip resistances are held constant in a step."""

from typing import Any

import numpy as np

from fftmech.arrays.backend import namespace
from fftmech.materials.base import Material
from fftmech.materials.slip import constants, latent, resistance

BLOCK = 4096
"""Points whose tables are gathered at once."""


class CrystalMaterial(Material):
    """Slip systems, and how they harden.

    With ratios of latent hardening each system has a resistance of its own: it is a
    family by itself, and what each has slipped is an internal variable. Resistances
    that are held are those of the slip that is expected at the end of the step: at
    first the slip of the step before, for the first step none. Solved again with the
    slip that came out, and so on, the step is backward Euler's.

    Attributes
    ----------
    family
        Of each system, (N,).
    constants
        rate0, exponent, tau0, tau1, theta0 and theta1, (6, R, F).
    interactions
        q_ab of latent hardening, (R, N, N); None where slip hardens all systems alike.
    held
        Where slips that resistances depend on begin in the state, and their number:
        those before the step, then those expected in it, to the end of the state. None
        where resistances are not held.
    hardens
        Whether resistances grow with slip within a step.
    """

    held: tuple[int, int] | None
    hardens: bool

    def prepare_slip(self, first: int) -> None:
        """Make the tables of slip; `first` is how many variables come before slips."""
        self.family = self.laws[0].family
        self.constants = constants(self.laws)
        self.interactions = latent(self.laws)
        self._known: tuple[Any, Any, Any] | None = None
        if self.interactions is None:
            return
        count = len(self.family)
        self.constants = self.constants[..., self.family]
        self.family = np.arange(count)
        self.variables = self.laws[0].variables
        self.held = first, count

    def expect(self, state: Any, ratio: float) -> Any:
        """See `Material.expect`: slip goes on at its rate."""
        if self.held is None:
            return state
        return self._expecting(state, ratio * self.slips(state)[1])

    def correct(self, begun: Any, ended: Any, share: float = 1.0) -> Any:
        """See `Material.correct`."""
        if self.held is None:
            return begun
        old, new = self.slips(begun)[1], self.slips(ended)[1]
        return self._expecting(begun, old + share * (new - old))

    def time_error(self, rows: Any, begun: Any, ended: Any) -> Any:
        """See `Material.time_error`: of the resistance, summed over systems."""
        if self.held is None:
            return None
        systems = namespace(begun).asarray(np.bincount(self.family))
        ended = self._expecting(ended, 0 * self.slips(ended)[1])
        used, found = (self.resistances(rows, state) for state in (begun, ended))
        return abs(found - used) @ systems, found @ systems

    def slips(self, state: Any) -> tuple[Any, Any]:
        """Slips before the step, and expected in it or brought by it, (K, n)."""
        assert self.held is not None
        first, count = self.held
        return state[first : first + count], state[first + count :]

    def _expecting(self, state: Any, slips: Any) -> Any:
        """A state that expects other slips, (K, n)."""
        assert self.held is not None
        return namespace(state).concatenate([state[: sum(self.held)], slips])

    def resistances(self, rows: Any, state: Any) -> Any:
        """g that a state holds, of each family, (n, F)."""
        xp = namespace(state)
        known = self._known
        if known is not None and known[0] is rows and known[1] is state:
            return known[2]
        if self.interactions is None:
            return self._resistances(rows, state)
        g = xp.empty((len(rows), len(self.family)))
        # tables of each point take memory
        for first in range(0, len(rows), BLOCK):
            part = slice(first, first + BLOCK)
            g[part] = self._resistances(rows[part], state[:, part])
        # a descent asks for those of one state again and again
        self._known = rows, state, g
        return g

    def _resistances(self, rows: Any, state: Any) -> Any:
        xp = namespace(state)
        hardening = xp.asarray(self.constants)[2:, rows]
        if self.interactions is None:
            assert self.held is not None
            G = state[self.held[0] :].sum(axis=0)[:, None]
        else:
            q = xp.asarray(self.interactions)[rows]
            G = xp.einsum("nab,bn->na", q, sum(self.slips(state)))
        return resistance(G, hardening)[0]

    def _brought(self, state: Any, slip: Any) -> list[Any]:
        """End of a state after slip of each system, (n, N): what is remembered of it.

        The slip accumulated by all systems, then the slips and their increments.
        """
        size = abs(slip)
        total = size.sum(axis=1)[None]
        if self.interactions is None:
            return [total]
        return [total, self.slips(state)[0] + size.T, size.T]
