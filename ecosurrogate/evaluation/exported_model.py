"""A trained model as one file that torch runs without this package.

`torch.export` writes the operations of a prediction on one grid and under one load.
Units are inside: stiffness comes in, and stress goes out, in any one unit; without a
constitutive law stress goes out in that of the training set.
"""

import json
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from io import BytesIO
from os import PathLike
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ecosurrogate.data.bodies import Bodies
from ecosurrogate.data.representation import TRIANGLE, channel_count
from ecosurrogate.evaluation.export_description import describe
from ecosurrogate.evaluation.exported_without_law import ChannelModel
from ecosurrogate.evaluation.learned_load import sign_of
from ecosurrogate.evaluation.memory import prediction_bytes
from ecosurrogate.mechanics.mean_field import MeanLoad
from ecosurrogate.mechanics.operators import Operators
from ecosurrogate.training.checkpoint import RunCard
from fftmech.arrays.memory import check_bytes, size_text
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.io.atomic import whole_file
from fftmech.loads.load import Load
from fftmech.tensors import K

METADATA = "model.json"
"""Name of the description inside the file: of `extra_files` in `torch.export.load`."""

ROUNDING = 1e-4
"""Largest difference of the file's fields from the model's, relative to their own
largest value: an iterated model amplifies single precision's 1e-7."""


@dataclass(frozen=True)
class _Voxels(Bodies):
    """One body of which each voxel is a phase of its own.

    `pores` says whether it may have some: a program has no branches that depend on it.
    """

    pores: bool

    @property
    def solid(self) -> Tensor:
        """Voxels that are no pore, boolean (1, 1, X, Y, Z)."""
        assert self.tables is not None
        solid = (self.tables[0] != 0).any(dim=1).any(dim=0)
        return solid.reshape(1, 1, *self.phase.shape[1:])

    @property
    def some_with_pores(self) -> bool:
        """Whether there may be pores."""
        return self.pores

    @property
    def some_without_pores(self) -> bool:
        """Whether there may be none."""
        return True

    def _field(self, table: Tensor) -> Tensor:
        return table.reshape(1, 6, 6, *self.phase.shape[1:])


class PhysicalModel(nn.Module):
    """A model on one grid of cubic voxels and under one load, in physical units.

    Parameters
    ----------
    model, card
        What `ecosurrogate.training.checkpoint.load_model` returned.
    shape
        Voxels along x, y, z.
    load
        One that the model can predict.
    """

    strain: Tensor
    stress: Tensor
    free: Tensor
    deviator: Tensor
    places: Tensor
    shift: Tensor
    scale: Tensor

    def __init__(
        self, model: nn.Module, card: RunCard, shape: Sequence[int], load: Load
    ) -> None:
        super().__init__()
        if card.encoder.creep:
            raise InputError(
                "a model of viscoplastic crystals",
                "one of elastic bodies, which files hold",
                "use ecosr predict",
            )
        if card.encoder.images:
            raise InputError(
                f"a model with scalar images ({', '.join(card.encoder.images)})",
                "one without, which files hold",
                "use ecosr predict",
            )
        if card.encoder.boundary is not None:
            raise InputError(
                f"a model of boxes with faces ({card.encoder.boundary})",
                "one of periodic boxes, which files hold",
                "use ecosr predict",
            )
        self.model = deepcopy(model).requires_grad_(False)
        encoder = card.encoder
        grid = Grid((shape[0], shape[1], shape[2]), (1.0, 1.0, 1.0))
        self.operators = Operators(encoder.scheme, grid, encoder.ratio / 2, 0.5)
        self.sign = sign_of(card, load)
        # of its energy of stresses an iterated model refuses pores
        self.takes_pores = getattr(model, "energy", "strain") == "strain"
        self.shown_stiffness = encoder.representation == "stiffness"
        means = MeanLoad.of(load, torch.empty(0, dtype=torch.float64))
        if not torch.where(means.free, means.stress, means.strain).any():
            raise InputError(
                "a load of zero: nothing to predict", mend="prescribe a strain"
            )
        places = np.zeros((6, 6), int)
        places[TRIANGLE] = np.arange(21)
        norm = encoder.normalization
        column = (1, -1, 1, 1, 1)
        for name, value in {
            "strain": torch.where(means.free, 0, means.strain),
            "stress": torch.where(means.free, means.stress, 0),
            "free": means.free,
            "deviator": torch.as_tensor(K),
            "places": torch.as_tensor(np.maximum(places, places.T).ravel()),
            "shift": torch.tensor(norm.shift).reshape(column),
            "scale": torch.tensor(norm.scale).reshape(column),
        }.items():
            self.register_buffer(name, value, persistent=False)

    def forward(
        self, stiffness: Tensor, channels: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Predict "strain" and "stress", Mandel (1, 6, X, Y, Z).

        All values are NaN if a stiffness is neither positive definite nor zero, or if
        the model cannot take pores.

        Parameters
        ----------
        stiffness
            Upper triangle, row by row, of the Mandel stiffness at each voxel, zero in
            pores, (1, 21, X, Y, Z).
        channels
            What the network is shown, (1, c, X, Y, Z), if not the stiffness.
        """
        C = stiffness[0].double().flatten(1)[self.places].reshape(6, 6, -1)
        shear = (C.mean(dim=-1) * self.deviator).sum() / 10
        C = C / (2 * shear)
        S, sound = _inverse(C)
        sound = sound & (shear > 0)
        squares = (self.strain**2).sum() + ((self.stress / (2 * shear)) ** 2).sum()
        strain_unit = self.sign * squares.sqrt()
        stress_unit = 2 * shear * strain_unit
        seen = (stiffness / (2 * shear)).float() if channels is None else channels
        bodies = _Voxels(
            self.operators,
            torch.stack([C, S]).float(),
            stiffness[:, 0],
            MeanLoad(
                (self.strain / strain_unit).float(),
                (self.stress / stress_unit).float(),
                self.free,
            ),
            strain_unit[None].float(),
            stress_unit[None].float(),
            (seen - self.shift) / self.scale,
            self.takes_pores,
        )
        found = self.model(bodies)
        if not self.takes_pores:
            sound = sound & bodies.without_pores.all()
        return {
            name: torch.where(sound, field * unit.float(), torch.nan)
            for name, field, unit in (
                ("strain", found.strain, strain_unit),
                ("stress", found.stress, stress_unit),
            )
        }


def _inverse(C: Tensor) -> tuple[Tensor, Tensor]:
    """Inverse of matrices (6, 6, P), zero in pores; whether others are positive."""
    solid = (C.float() != 0).any(dim=0).any(dim=0)[:, None, None]
    matrices = C.movedim(-1, 0)
    identity = torch.eye(6, dtype=C.dtype, device=C.device)
    regular = torch.where(solid, matrices, identity)
    _, info = torch.linalg.cholesky_ex(regular)
    inverse, _ = torch.linalg.inv_ex(regular)
    S = torch.where(solid, inverse, 0).movedim(0, -1)
    return S, (info == 0).all() & C.isfinite().all()


def export(
    model: nn.Module,
    card: RunCard,
    shape: Sequence[int],
    load: Load,
    path: str | PathLike,
) -> dict[str, Any]:
    """Write a model on one grid and under one load as a file of `torch.export`.

    The file is read again, and its fields of a body are compared with the model's.

    Parameters
    ----------
    model, card, shape, load
        As of `PhysicalModel`.
    path
        The file, .pt2; it appears whole or not at all.

    Returns
    -------
    dict
        The description that is in the file too, and "difference", the largest one of a
        field relative to its largest value.

    Raises
    ------
    InputError
        A model that torch cannot export, or whose file has other fields.
    """
    needed = 4 * prediction_bytes(model, card, tuple(shape))
    check_bytes(needed, f"a model on {size_text(shape)} voxels")
    kind = PhysicalModel if card.law else ChannelModel
    physical = kind(model, card, shape, load).eval()
    body = _example(card, shape)
    document = describe(card, shape, load)
    file = BytesIO()
    with torch.no_grad():
        # tensors that are kept from call to call become constants of the program
        exact = physical(*body)
        try:
            program = torch.export.export(physical, body, strict=False)
            torch.export.save(
                program, file, extra_files={METADATA: json.dumps(document)}
            )
            file.seek(0)
            found = torch.export.load(file).module()(*body)
        except Exception as error:
            message = " ".join(str(error).split())[:200]
            raise InputError(
                f"torch cannot export {card.config.model} with "
                f"{card.config.backbone}: {type(error).__name__}: {message}"
            ) from error
    difference = _difference(exact, found)
    with whole_file(path) as name:
        name.write_bytes(file.getvalue())
    return {**document, "difference": difference}


def _difference(exact: dict[str, Tensor], found: dict[str, Tensor]) -> float:
    """Largest difference of fields relative to their largest value; not too large."""
    relative = max(
        float(abs(found[name] - field).max() / abs(field).max())
        for name, field in exact.items()
    )
    if not relative <= ROUNDING:
        raise InputError(
            f"the exported program's fields differ by {relative:.1e} from the model's",
            f"at most {ROUNDING:g}",
        )
    return relative


def _example(card: RunCard, shape: Sequence[int]) -> tuple[Tensor, ...]:
    """Inputs of a body of two isotropic phases, at random."""
    count = channel_count(card.encoder.representation)
    generator = torch.Generator().manual_seed(0)
    phase = torch.rand((1, 1, *shape), generator=generator) < 0.5
    triangle = torch.eye(6)[TRIANGLE].reshape(1, 21, 1, 1, 1)
    stiffness = torch.where(phase, 2.0, 1.0) * triangle
    if card.encoder.representation == "stiffness":
        return (stiffness,)
    channels = phase.float().expand(1, count, *shape).contiguous()
    return (stiffness, channels) if card.law else (channels,)
