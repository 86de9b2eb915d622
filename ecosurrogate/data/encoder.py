"""Encode bodies as inputs of a network: channels, their normalisation, units."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ecosurrogate.data.bodies import Bodies, bodies
from ecosurrogate.data.examples import Batch, Example
from ecosurrogate.data.normalization import Normalization
from ecosurrogate.data.representation import inputs
from fftmech.loads.boundary import Boundary
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.operators.reference_medium import reference_medium


@dataclass(frozen=True)
class Encoder:
    """Turns bodies into inputs of a network; stored with its weights.

    `scheme` has one integration point; `representation` is one of
    `ecosurrogate.data.representation`; `ratio` is the bulk over the shear modulus of
    the reference medium; `boundary` are the conditions on the faces of the boxes, None
    if they are periodic.
    """

    scheme: str
    representation: str
    ratio: float
    normalization: Normalization
    boundary: Boundary | None = None

    @classmethod
    def fit(
        cls,
        examples: Iterable[Example],
        scheme: str,
        representation: str,
        boundary: Boundary | None = None,
    ) -> "Encoder":
        """Return the encoder of a training set.

        Channels are whitened; an indicator is mapped to [0, 1] (the paper's pores). The
        reference medium has the ratio of the mean moduli.
        """
        moduli: list[tuple[float, float]] = []

        def channels() -> Iterable[np.ndarray]:
            for example in examples:
                medium = reference_medium(example.body)
                moduli.append(medium)
                yield inputs(example.body, representation, 2 * medium[1])

        kind = "minmax" if representation == "indicator" else "whiten"
        normalization = Normalization.fit(channels(), kind)
        bulk, shear = np.mean(moduli, axis=0)
        ratio = float(bulk / shear)
        return cls(scheme, representation, ratio, normalization, boundary)

    def bodies(
        self,
        microstructures: Sequence[Microstructure],
        loads: Sequence[Load],
        signs: Sequence[int] | None = None,
    ) -> Bodies:
        """Batch of bodies of one shape, each under one load; see `bodies`."""
        channels = [
            self.normalization.apply(
                self._around(
                    inputs(body, self.representation, 2 * reference_medium(body)[1])
                )
            )
            for body in microstructures
        ]
        return bodies(
            microstructures,
            loads,
            channels,
            self.scheme,
            self.ratio,
            signs=signs,
            boundary=self.boundary,
        )

    def _around(self, channels: np.ndarray) -> np.ndarray:
        """Channels with a layer of void beyond each face of the box."""
        if self.boundary is None:
            return channels
        layers = [(int(not along),) * 2 for along in self.boundary.periodic]
        void = 1.0 if self.representation == "indicator" else 0.0
        return np.pad(channels, [(0, 0), *layers], constant_values=void)

    def batch(self, examples: Sequence[Example]) -> Batch:
        """Batch of examples, labels in the units of its bodies."""
        made = self.bodies([e.body for e in examples], [e.load for e in examples])
        return Batch(
            made,
            _labels([e.strain for e in examples], made.strain_unit),
            _labels([e.stress for e in examples], made.stress_unit),
            torch.as_tensor(np.stack([e.solid for e in examples])),
            _labels([e.gradient for e in examples], made.strain_unit),
        )


def _labels(fields: Sequence[np.ndarray | None], unit: Tensor) -> Tensor | None:
    known = [field for field in fields if field is not None]
    if len(known) < len(fields):
        return None
    field = torch.as_tensor(np.stack(known))
    return field / unit.reshape(-1, *[1] * (field.ndim - 1))
