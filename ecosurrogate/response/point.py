"""A material point for finite element codes: strain in; stress, tangent, state out."""

import warnings
from os import PathLike

import numpy as np

from ecosurrogate.response.doubts import doubts_of_strain
from ecosurrogate.response.network import Network
from ecosurrogate.response.state import NetworkState
from ecosurrogate.response.trained_network import TrainedNetwork
from fftmech.errors import InputError
from fftmech.io.materials import Materials
from fftmech.loads.path import Target
from fftmech.tensors import FACTORS

STRAINED = np.zeros(6, bool)
"""All six strains are prescribed."""


class NotSolved(ArithmeticError):
    """A point has no stress at the strain that is asked for: take a shorter step."""


class MaterialPoint:
    """The composite as the material of a finite element code.

    Vectors are Voigt's, in the order xx yy zz yz xz xy: strains with engineering shear
    (xy is twice the tensor component), stresses, and the tangent d stress / d strain.
    Abaqus has the order xx yy zz xy xz yz: `stress[:, ABAQUS]`.

        point = MaterialPoint.load("run", "materials.toml")
        state = point.start(points)                     # of every integration point
        stress, tangent, new = point.update(strain, state, dt)
        state = new                                     # once the step has converged

    A state is never changed: what Newton's method of the structure tries is `new`, and
    is dropped if it goes on. What makes a stress doubtful is a warning (UserWarning).

    Parameters
    ----------
    network
        A trained network with laws.
    """

    ABAQUS = np.array([0, 1, 2, 5, 4, 3])

    def __init__(self, network: Network) -> None:
        self.network = network

    @classmethod
    def load(
        cls,
        run: str | PathLike,
        materials: Materials | str | PathLike,
        *,
        temperature: float = 0.0,
    ) -> "MaterialPoint":
        """Read a trained network, and give its phases what a materials file says.

        A warning tells what makes its responses doubtful, as `ecosr respond` does.
        """
        trained = TrainedNetwork.read(run)
        return cls(trained.network(materials, temperature=temperature))

    def start(self, points: int = 1) -> NetworkState:
        """The state of virgin points."""
        return self.network.start(points)

    def update(
        self, strain: np.ndarray, state: NetworkState, dt: float = 1.0
    ) -> tuple[np.ndarray, np.ndarray, NetworkState]:
        """Stress, tangent and state at the end of a step.

        Parameters
        ----------
        strain
            Total strain at its end, Voigt, (n, 6), or (6,) of one point.
        state
            At its beginning, of n points.
        dt
            Duration, more than zero.

        Returns
        -------
        tuple
            Stress (n, 6), tangent (n, 6, 6), and the new state; without n where the
            strain has none.

        Raises
        ------
        NotSolved
            A point where the laws have no solution, or none was found.
        InputError
            Strains of other points than the state, a state of another network, a step
            without duration.
        """
        strain = np.asarray(strain, dtype=float)
        points = self.network.checked(state).points
        if strain.shape != (points, 6) and (strain.shape != (6,) or points != 1):
            raise InputError(
                f"strains of shape {strain.shape} with a state of {points} points",
                f"({points}, 6)",
            )
        if not 0 < dt < np.inf:
            raise InputError(f"dt {dt}", "a positive duration")
        mandel = (strain.reshape(-1, 6) / FACTORS).T
        for doubt in doubts_of_strain(mandel.T):
            warnings.warn(doubt, stacklevel=2)
        target = Target(STRAINED, mandel, np.zeros_like(mandel))
        made = self.network.advance(state, target, dt)
        if not made.solved.all():
            lost = np.flatnonzero(~made.solved)
            raise NotSolved(
                f"{len(lost)} of {state.points} points have no stress at the end of "
                f"the step, the first is {lost[0]}: shorten the step"
            )
        assert made.tangent is not None
        stress = (made.state.mean_stress.T / FACTORS).reshape(strain.shape)
        tangent = np.moveaxis(made.tangent, -1, 0) / np.outer(FACTORS, FACTORS)
        return stress, tangent.reshape(*strain.shape, 6), made.state
