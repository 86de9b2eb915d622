"""A batch of bodies on one grid with their loads, in the units that networks see.

Strains are divided by the size of the load, stresses by that and by 2 G, G the shear
modulus of each body's mean stiffness: a prediction then scales with the load and with
the stiffness, as the exact solution does, and nothing has to be learned for it. Where
no constitutive law is known, the units are `ecosurrogate.data.lawless.Scales`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ecosurrogate.data.lawless import Scales
from ecosurrogate.mechanics.box_operators import BoxOperators
from ecosurrogate.mechanics.mean_field import MeanLoad
from ecosurrogate.mechanics.operators import Operators
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.loads.boundary import Boundary
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.operators.reference_medium import reference_medium


@dataclass(frozen=True)
class Bodies:
    """B bodies under one load each.

    Attributes
    ----------
    operators
        Of their periodic grid, with voxels of edge 1; the reference medium has 2 G = 1.
    tables
        C / 2 G of every phase of every body, and its inverse, zero in pores: Mandel
        (2, 6, 6, P). None where no constitutive law is known.
    phase
        Row of each voxel in the tables, (B, X, Y, Z); phase ids without tables.
    load
        Prescribed means, in the units below.
    strain_unit, stress_unit
        A strain and a stress of 1 in the units of the body, (B,); both negative where
        the load is minus one that the model knows.
    inputs
        Input channels of the network, (B, C, X, Y, Z); of boxes with faces around the
        box.
    box
        Operators of boxes with faces, which take the place of `operators`; else None.
    """

    operators: Operators
    tables: Tensor | None
    phase: Tensor
    load: MeanLoad
    strain_unit: Tensor
    stress_unit: Tensor
    inputs: Tensor
    box: BoxOperators | None = field(default=None, kw_only=True)

    def __len__(self) -> int:
        return len(self.phase)

    @cached_property
    def stiffness(self) -> Tensor:
        """C / 2 G, Mandel (B, 6, 6, X, Y, Z)."""
        assert self.tables is not None
        return self._field(self.tables[0])

    @cached_property
    def compliance(self) -> Tensor:
        """Its inverse, (B, 6, 6, X, Y, Z); zero in pores, where there is none."""
        assert self.tables is not None
        return self._field(self.tables[1])

    @cached_property
    def solid(self) -> Tensor:
        """Voxels that are no pore, boolean (B, 1, X, Y, Z); all without a law."""
        if self.tables is None:
            return torch.ones_like(self.phase[:, None], dtype=torch.bool)
        solid = (self.tables[0] != 0).any(dim=1).any(dim=0)
        return solid[self.phase.long()][:, None]

    @cached_property
    def without_pores(self) -> Tensor:
        """Bodies in which no voxel is a pore, boolean (B, 1, 1, 1, 1)."""
        return self.solid.flatten(1).all(dim=1)[:, None, None, None, None]

    @cached_property
    def some_with_pores(self) -> bool:
        """Whether a body may have pores."""
        return not bool(self.without_pores.all())

    @cached_property
    def some_without_pores(self) -> bool:
        """Whether a body may have none."""
        return bool(self.without_pores.any())

    @cached_property
    def mean(self) -> Tensor:
        """Prescribed mean strains, zero where they are free, (B, 6, 1, 1, 1)."""
        strain = torch.where(self.load.free, 0, self.load.strain)
        return strain[..., None, None, None]

    def to(self, device: torch.device | str) -> "Bodies":
        """Return the batch on another device."""
        return Bodies(
            self.operators,
            None if self.tables is None else self.tables.to(device),
            self.phase.to(device),
            MeanLoad(*(part.to(device) for part in self.load)),
            self.strain_unit.to(device),
            self.stress_unit.to(device),
            self.inputs.to(device),
            box=self.box,
        )

    def _field(self, table: Tensor) -> Tensor:
        """Values at each voxel, (6, 6, P) -> (B, 6, 6, X, Y, Z)."""
        count, *shape = self.phase.shape
        made = table.new_empty(count, 36, self.phase[0].numel())
        for own, phase in zip(made, self.phase.flatten(1), strict=True):
            torch.index_select(table.flatten(0, 1), 1, phase, out=own)
        return made.reshape(count, 6, 6, *shape)


def bodies(
    microstructures: Sequence[Microstructure],
    loads: Sequence[Load],
    inputs: Sequence[np.ndarray],
    scheme: str,
    ratio: float,
    dtype: torch.dtype = torch.float32,
    signs: Sequence[int] | None = None,
    scales: Scales | None = None,
    boundary: Boundary | None = None,
) -> Bodies:
    """Make a batch of bodies with cubic voxels on grids of one shape, a load for each.

    Parameters
    ----------
    inputs
        Channels of each, (C, X, Y, Z), of boxes with faces around them.
    ratio
        Bulk over shear modulus of the reference medium.
    signs
        Of the units of each, 1 if None: with -1 a load is predicted as minus that of
        the opposite load.
    scales
        Units of strain and stress where no constitutive law is known, else None.
    boundary
        Conditions on the faces of the boxes; None if they are periodic.

    Raises
    ------
    InputError
        Grids that differ, a load of zero.
    """
    shape = microstructures[0].grid.shape
    for body in microstructures:
        if body.grid.shape != shape:
            raise InputError(
                f"grids of {shape} and {body.grid.shape} voxels in one batch",
                "equal ones",
            )
        h = body.grid.h
        if max(h) - min(h) > 1e-9 * max(h):
            raise InputError(f"voxels of edges {h}", "cubes")
    grid = Grid(shape, (1.0, 1.0, 1.0))
    box = None
    if boundary is not None:
        box = BoxOperators(scheme, grid, boundary)
        loads = [boundary.affine(load) for load in loads]
    signs = signs or [1] * len(loads)
    if scales is None:
        shear = [reference_medium(body)[1] for body in microstructures]
        strain_unit = [
            sign * _size(load, G)
            for sign, load, G in zip(signs, loads, shear, strict=True)
        ]
        stress_unit = [2 * G * e for G, e in zip(shear, strain_unit, strict=True)]
        tables, phase = _tables(microstructures, [2 * G for G in shear], dtype)
    else:
        strain_unit = [scales.strain] * len(loads)
        stress_unit = [scales.stress] * len(loads)
        tables, phase = (
            None,
            torch.as_tensor(
                np.stack([body.phase.astype(np.int32) for body in microstructures])
            ),
        )
    load = MeanLoad.of(loads, torch.empty(0, dtype=torch.float64))
    strain = torch.tensor(strain_unit, dtype=torch.float64)
    stress = torch.tensor(stress_unit, dtype=torch.float64)
    return Bodies(
        Operators(scheme, grid, ratio / 2, 0.5),
        tables,
        phase,
        MeanLoad(
            (load.strain / strain[:, None]).to(dtype),
            (load.stress / stress[:, None]).to(dtype),
            load.free,
        ),
        strain.to(dtype),
        stress.to(dtype),
        torch.as_tensor(np.stack(inputs), dtype=dtype),
        box=box,
    )


def _tables(
    microstructures: Sequence[Microstructure],
    units: Sequence[float],
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor]:
    """`tables` and `phase` of bodies, stiffness in a unit of each."""
    tables, phase, start = [], [], 0
    for body, unit in zip(microstructures, units, strict=True):
        assert body.stiffness is not None
        used = body.phases
        rows = np.empty(len(body.counts), np.int32)
        rows[used] = np.arange(start, start + len(used))
        tables.append(np.nan_to_num(body.stiffness[used]) / unit)
        phase.append(rows[body.phase])
        start += len(used)
    C = np.concatenate(tables)
    # a stiffness that underflows to zero is a pore in both tables
    solid = (torch.as_tensor(C, dtype=dtype) != 0).flatten(1).any(dim=1).numpy()
    S = np.zeros_like(C)
    S[solid] = np.linalg.inv(C[solid])
    both = np.ascontiguousarray(np.stack([C, S]).transpose(0, 2, 3, 1))
    return torch.as_tensor(both, dtype=dtype), torch.as_tensor(np.stack(phase))


def _size(load: Load, shear: float) -> float:
    """Norm of the prescribed mean strains, and mean stresses over 2 G."""
    strain = np.where(load.free, 0, load.mean_strain)
    stress = np.where(load.free, load.mean_stress, 0) / (2 * shear)
    size = float(np.hypot(np.linalg.norm(strain), np.linalg.norm(stress)))
    if not size > 0:
        raise InputError(
            "a load of zero: nothing to predict", mend="prescribe a strain"
        )
    return size
