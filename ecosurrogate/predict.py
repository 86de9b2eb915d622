"""Predict the fields of one body, and say how wrong they are."""

import time

import numpy as np
import torch
from torch import Tensor, nn

from ecosurrogate.bodies import Bodies
from ecosurrogate.checkpoint import RunCard
from ecosurrogate.config import ADMISSIBLE, SEE_LOAD
from ecosurrogate.devices import choose
from ecosurrogate.losses import apply, energy
from fftmech.certificate import Certificate
from fftmech.datasets.loading import Loading
from fftmech.errors import InputError
from fftmech.load import Load
from fftmech.memory import check_bytes, size_text
from fftmech.microstructure.base import Microstructure
from fftmech.percolation import check_load
from fftmech.result import Result

BYTES = 4 * (6 * 36 + 12 * 32)
"""Memory by voxel, roughly: stiffness, compliance and their copies, hidden channels."""

NO_CERTIFICATE = "the fields of this model are not admissible"
PORES = "the body has pores, where it needs a stress that vanishes"


def predict(
    model: nn.Module,
    card: RunCard,
    body: Microstructure,
    load: Load,
    device: str = "cpu",
) -> Result:
    """Predict strain, stress and displacement, as `fftmech.solve` returns them.

    Parameters
    ----------
    model, card
        What `ecosurrogate.checkpoint.load_model` returned.
    body, load
        The body, with cubic voxels and stiffness in any unit, and its load.
    device
        "cpu" or "cuda".

    Returns
    -------
    Result
        With `status` "predicted"; `residuals` are the relative energy errors of the
        first guess and after each correction, where they are known, and `certificate`
        is that of the fields as they are, computed in double precision. The
        displacement is that of the strain, of the part that is compatible.

    Raises
    ------
    InputError
        A body or a load that the model cannot take, too little memory.
    """
    place = choose(device)
    started = time.perf_counter()
    body.check().check_linear("a surrogate")
    check_load(body, load)
    if body.eigenstrain is not None and body.eigenstrain[body.phases].any():
        raise InputError(
            "the body has eigenstrain, which models do not see; use fftmech solve"
        )
    shape = body.grid.shape
    check_bytes(body.grid.voxels * BYTES, f"a prediction on {size_text(shape)} voxels")
    made = card.encoder.bodies([body], [load]).to(place)
    model = model.to(place)
    ready = time.perf_counter()
    with torch.inference_mode():
        prediction = model(made)
        u = displacement_of(prediction.strain, made)
    if device == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - ready
    pairs = [*prediction.path, (prediction.strain, prediction.stress)]
    if card.config.model not in ADMISSIBLE:
        certified = [Certificate(None, None, None, None, NO_CERTIFICATE)]
    elif not bool(made.solid.all()):
        certified = [Certificate(None, None, None, None, PORES)]
    else:
        certified = [certify(made, *pair) for pair in pairs]
    strain_unit, stress_unit = float(made.strain_unit[0]), float(made.stress_unit[0])
    strain = _numpy(prediction.strain) * strain_unit
    stress = _numpy(prediction.stress) * stress_unit
    density = np.einsum("cxyz,cxyz->xyz", strain, stress) / 2
    return Result(
        microstructure=body,
        load=load,
        scheme=card.encoder.scheme,
        solver=card.config.model,
        tolerance=0.0,
        displacement=_numpy(u) * strain_unit * body.grid.h[0],
        strain=strain,
        stress=stress,
        energy_density=density,
        mean_strain=strain.mean(axis=(1, 2, 3), dtype=float),
        mean_stress=stress.mean(axis=(1, 2, 3), dtype=float),
        energy=float(density.mean(dtype=float)),
        status="predicted",
        advice="",
        iterations=len(prediction.path),
        residuals=[c.relative for c in certified if c.relative is not None],
        times={
            "setup": ready - started,
            "compile": 0.0,
            "solve": seconds,
        },
        certificate=certified[-1].as_dict(),
        precision="single",
    )


def choose_load(card: RunCard, asked: Load | None) -> Load:
    """Return the load to predict: the one asked for, else that of the training set.

    Raises
    ------
    InputError
        None asked for where the training set has several; another one than that of the
        training set, of a model that does not see the load.
    """
    known = Loading.from_dict(card.dataset["loads"])
    if asked is None:
        if known.load is None:
            raise InputError(
                f"the model was trained on loads {known.mode!r}: name one (--strain, "
                "--stress or --uniaxial)"
            )
        return known.load
    if card.config.model not in SEE_LOAD and not _proportional(asked, known.load):
        raise InputError(
            f"model {card.config.model} does not see the load and has learned another "
            f"one, {known.as_dict()}; leave the load out"
        )
    return asked


def _proportional(a: Load, b: Load | None) -> bool:
    """Whether one load is a positive multiple of the other."""
    if b is None or (a.free != b.free).any():
        return False
    x, y = (np.concatenate([load.mean_strain, load.mean_stress]) for load in (a, b))
    size = np.linalg.norm(x) * np.linalg.norm(y)
    return bool(size > 0 and x @ y > (1 - 1e-9) * size)


def certify(made: Bodies, strain: Tensor, stress: Tensor) -> Certificate:
    """Certificate of the first body of a batch, in double precision.

    As `fftmech.certificate.certify`, in the dataset's units. What rounding leaves of
    the divergence and of the incompatibility is not looked at: its part in the energy
    error is of the order of single precision.
    """
    C, e, s = (part[:1].double() for part in (made.stiffness, strain, stress))
    C_e = apply(C, e)
    gap = s - C_e
    S = C[0].permute(2, 3, 4, 0, 1)
    both = torch.stack([gap[0], s[0]], dim=-1).permute(1, 2, 3, 0, 4)
    S_both = torch.linalg.solve(S, both).permute(3, 0, 1, 2, 4)
    unit = float(made.strain_unit[0] * made.stress_unit[0])
    w = float(energy(e, C_e)) / 2 * unit
    w_star = float(energy(s, S_both[None, ..., 1])) / 2 * unit
    half = float(energy(gap, S_both[None, ..., 0])) / 2 * unit
    work = (s.mean(dim=(0, 2, 3, 4)) * e.mean(dim=(0, 2, 3, 4))) * unit
    free = made.load.free[0]
    return Certificate(
        half,
        float(np.sqrt(half / (w + w_star))),
        w - float(work[free].sum()),
        float(work[~free].sum()) - w_star,
    )


def displacement_of(strain: Tensor, made: Bodies) -> Tensor:
    """Fluctuation u = M D* C0 e, whose strain is the compatible part of e, (B, 3, ...).

    `strain` is (B, 6, X, Y, Z), in the units of its bodies.
    """
    operators = made.operators
    force = operators.strain_adjoint(operators.stiffness(strain))
    return operators.green(force)[:, :3]


def _numpy(field: Tensor) -> np.ndarray:
    return field[0].cpu().numpy()
