"""Encode bodies as inputs of a network: channels, their normalisation, units."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from torch import Tensor

from ecosurrogate.data.bodies import Bodies, bodies
from ecosurrogate.data.creep_bodies import CHANNELS, creep_bodies, creep_law
from ecosurrogate.data.examples import Batch, Example
from ecosurrogate.data.lawless import Scales
from ecosurrogate.data.normalization import Normalization
from ecosurrogate.data.representation import SLIP, inputs, phase_ids
from fftmech.errors import InputError
from fftmech.loads.boundary import Boundary
from fftmech.loads.load import Load
from fftmech.materials.crystal_creep import CrystalCreep
from fftmech.microstructure.base import Microstructure
from fftmech.operators.reference_medium import reference_medium

RATIO = 5 / 3
"""Bulk over shear modulus of the reference medium where no stiffness is known."""


@dataclass(frozen=True)
class Encoder:
    """Turns bodies into inputs of a network; stored with its weights.

    `scheme` has one integration point; `representation` is one of
    `ecosurrogate.data.representation`; `ratio` is the bulk over the shear modulus of
    the reference medium; `scales` are the units of fields without a constitutive law,
    None where there is one; `boundary` are the conditions on the faces of the boxes,
    None if they are periodic; `creep` is the law of viscoplastic crystals, None of
    other bodies, and says what the rest would; `images` are names of scalar images of
    the bodies, channels after those of the representation.
    """

    scheme: str
    representation: str
    ratio: float
    normalization: Normalization
    scales: Scales | None = None
    boundary: Boundary | None = None
    creep: CrystalCreep | None = None
    images: tuple[str, ...] = ()

    @classmethod
    def fit(
        cls,
        examples: Iterable[Example],
        scheme: str,
        representation: str,
        boundary: Boundary | None = None,
        images: tuple[str, ...] = (),
    ) -> "Encoder":
        """Return the encoder of a training set.

        Channels are whitened; an indicator is mapped to [0, 1] (the paper's pores).
        Each image is whitened by itself: what is little in its unit is not rounding.
        The reference medium has the ratio of the mean moduli. Examples without a
        stiffness need labels, whose size is their unit.
        """
        if representation == SLIP:
            (law,) = {creep_law(example.body) for example in examples}
            own = Normalization((0.0,) * CHANNELS, (1.0,) * CHANNELS)
            return cls(scheme, representation, RATIO, own, creep=law)
        moduli: list[tuple[float, float]] = []
        labels: list[Scales] = []
        shown: list[np.ndarray] = []

        def channels() -> Iterable[np.ndarray]:
            for example in examples:
                body, strain, stress = example.body, example.strain, example.stress
                body.check_linear(f"representation {representation}")
                shown.append(image_channels(body, images))
                if body.stiffness is None:
                    assert strain is not None and stress is not None
                    labels.append(Scales.of(strain, stress))
                    yield inputs(body, representation)
                else:
                    moduli.append(reference_medium(body))
                    yield inputs(body, representation, 2 * moduli[-1][1])

        flags = representation == "indicator" or phase_ids(representation) is not None
        normalization = Normalization.fit(channels(), "minmax" if flags else "whiten")
        for k in range(len(images)):
            own = Normalization.fit(image[k : k + 1] for image in shown)
            normalization = replace(
                normalization,
                shift=normalization.shift + own.shift,
                scale=normalization.scale + own.scale,
            )
        if labels:
            scales = Scales.mean(labels)
            return cls(
                scheme, representation, RATIO, normalization, scales, images=images
            )
        bulk, shear = np.mean(moduli, axis=0)
        ratio = float(bulk / shear)
        return cls(
            *(scheme, representation, ratio, normalization),
            boundary=boundary,
            images=images,
        )

    def bodies(
        self,
        microstructures: Sequence[Microstructure],
        loads: Sequence[Load],
        signs: Sequence[int] | None = None,
    ) -> Bodies:
        """Batch of bodies of one shape, each under one load; see `bodies`.

        Of viscoplastic crystals they are `CreepBodies`, which their models take.
        """
        if self.creep:
            made = creep_bodies(microstructures, loads, self.scheme)
            return cast(Bodies, made)
        channels = [
            self.normalization.apply(self._around(self._channels(body)))
            for body in microstructures
        ]
        return bodies(
            microstructures,
            loads,
            channels,
            self.scheme,
            self.ratio,
            signs=signs,
            scales=self.scales,
            boundary=self.boundary,
        )

    def _channels(self, body: Microstructure) -> np.ndarray:
        shown = inputs(body, self.representation, self._stress_unit(body))
        if not self.images:
            return shown
        return np.concatenate([shown, image_channels(body, self.images)])

    def _stress_unit(self, body: Microstructure) -> float:
        """Unit of a stiffness that the network is shown."""
        return 1.0 if self.scales else 2 * reference_medium(body)[1]

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


def image_channels(body: Microstructure, names: Sequence[str]) -> np.ndarray:
    """Scalar images of a body, (C, x, y, z); InputError where it lacks one."""
    for name in names:
        if name not in body.images:
            raise InputError(
                f"the body has no image {name}, which the model sees",
                "an array of that name beside the phase ids, a number a voxel",
            )
    return np.array([body.images[name] for name in names]).reshape(
        len(names), *body.grid.shape
    )


def _labels(fields: Sequence[np.ndarray | None], unit: Tensor) -> Tensor | None:
    known = [field for field in fields if field is not None]
    if len(known) < len(fields):
        return None
    field = torch.as_tensor(np.stack(known))
    return field / unit.reshape(-1, *[1] * (field.ndim - 1))
