"""Fields of a batch of bodies are those of their phases, voxel by voxel."""

import numpy as np
import pytest
import torch
from conftest import EMPTY, SOFT, STIFF, grains

from ecosurrogate.data.bodies import bodies
from fftmech import Grid, Load, Microstructure
from fftmech.operators.reference_medium import reference_medium

SHAPE = (3, 4, 5)


def sparse(seed, *rows):
    """A body of few of many phases; of the others nothing sound is known."""
    rng = np.random.default_rng(seed)
    table = np.full((40, 6, 6), np.nan)
    table[:20] = 1.0
    ids = rng.choice(40, len(rows), replace=False)
    table[ids] = rows
    return Microstructure(Grid(SHAPE), rng.choice(ids, SHAPE), table)


def batch(made, dtype=torch.float64):
    channels = [np.zeros((1, *SHAPE))] * len(made)
    load = Load(strain={"xx": 1e-3})
    return bodies(made, [load] * len(made), channels, "rotated", 2.0, dtype)


MADE = [grains(SHAPE, count=7), sparse(1, SOFT, STIFF), sparse(2, EMPTY, SOFT)]


def test_stiffness_is_that_of_each_voxels_phase_in_the_unit_of_its_body():
    found = batch(MADE).stiffness.numpy()
    assert found.shape == (3, 6, 6, *SHAPE)
    for field, body in zip(found, MADE, strict=True):
        expected = body.stiffness[body.phase] / (2 * reference_medium(body)[1])
        np.testing.assert_array_equal(field.transpose(2, 3, 4, 0, 1), expected)


@pytest.mark.parametrize(
    ("dtype", "error"), [(torch.float64, 1e-14), (torch.float32, 1e-6)]
)
def test_compliance_is_the_inverse_of_stiffness_and_zero_in_pores(dtype, error):
    made = batch(MADE, dtype)
    C, S = (x.permute(0, 3, 4, 5, 1, 2) for x in (made.stiffness, made.compliance))
    pores = np.stack([np.isin(body.phase, body.pores) for body in MADE])
    assert pores[2].any() and not pores[:2].any() and not pores[2].all()
    np.testing.assert_array_equal(made.solid[:, 0].numpy(), ~pores)
    identity = torch.eye(6, dtype=dtype)
    assert abs((S @ C)[~pores] - identity).max() < error
    assert not S[pores].any() and not C[pores].any()
    assert C.dtype == S.dtype == dtype


def test_what_is_too_soft_for_the_type_is_a_pore():
    made = batch([sparse(3, SOFT, 1e-60 * SOFT)], torch.float32)
    assert not made.solid.all() and made.solid.any()
    assert bool(made.compliance.isfinite().all())
    assert batch([sparse(3, SOFT, 1e-60 * SOFT)]).solid.all()


def test_a_batch_on_another_device_has_all_of_its_fields():
    moved = batch(MADE).to("meta")
    for name in ("stiffness", "compliance", "solid", "inputs", "strain_unit", "mean"):
        assert getattr(moved, name).device.type == "meta", name
        assert getattr(moved, name).shape == getattr(batch(MADE), name).shape
