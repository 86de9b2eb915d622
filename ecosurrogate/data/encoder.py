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
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.operators.reference_medium import reference_medium


@dataclass(frozen=True)
class Encoder:
    """Turns bodies into inputs of a network; stored with its weights.

    `scheme` has one integration point; `representation` is one of
    `ecosurrogate.data.representation`; `ratio` is the bulk over the shear modulus of
    the reference medium.
    """

    scheme: str
    representation: str
    ratio: float
    normalization: Normalization

    @classmethod
    def fit(
        cls, examples: Iterable[Example], scheme: str, representation: str
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
        return cls(scheme, representation, float(bulk / shear), normalization)

    def bodies(
        self,
        microstructures: Sequence[Microstructure],
        loads: Sequence[Load],
        signs: Sequence[int] | None = None,
    ) -> Bodies:
        """Batch of bodies of one shape, each under one load; see `bodies`."""
        channels = [
            self.normalization.apply(
                inputs(body, self.representation, 2 * reference_medium(body)[1])
            )
            for body in microstructures
        ]
        return bodies(
            microstructures, loads, channels, self.scheme, self.ratio, signs=signs
        )

    def batch(self, examples: Sequence[Example]) -> Batch:
        """Batch of examples, labels in the units of its bodies."""
        made = self.bodies([e.body for e in examples], [e.load for e in examples])
        return Batch(
            made,
            _labels([e.strain for e in examples], made.strain_unit),
            _labels([e.stress for e in examples], made.stress_unit),
            torch.as_tensor(np.stack([e.solid for e in examples])),
        )


def _labels(fields: Sequence[np.ndarray | None], unit: Tensor) -> Tensor | None:
    known = [field for field in fields if field is not None]
    if len(known) < len(fields):
        return None
    return torch.as_tensor(np.stack(known)) / unit[:, None, None, None, None]
