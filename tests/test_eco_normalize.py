"""Laws of normalisation: one pass, an inverse, and equilibrium kept."""

import json

import numpy as np
import pytest

from ecosurrogate.data.normalization import Normalization
from fftmech import Grid, InputError, discretization


@pytest.fixture
def samples(rng):
    """Five samples of three channels whose means and deviations differ."""
    spread = np.array([1.0, 20.0, 0.3]).reshape(3, 1, 1, 1)
    shift = np.array([5.0, -7.0, 100.0]).reshape(3, 1, 1, 1)
    return [shift + spread * rng.normal(size=(3, 4, n, 3)) for n in (4, 2, 7, 5, 1)]


def flat(samples):
    return np.concatenate([s.reshape(3, -1) for s in samples], axis=1)


def test_whitening_takes_mean_and_deviation_of_the_whole_set(samples):
    fitted = Normalization.fit(iter(samples))
    assert np.allclose(fitted.shift, flat(samples).mean(axis=1), rtol=1e-12)
    assert np.allclose(fitted.scale, flat(samples).std(axis=1), rtol=1e-12)
    white = flat([fitted.apply(s) for s in samples])
    assert np.allclose(white.mean(axis=1), 0, atol=1e-12)
    assert np.allclose(white.std(axis=1), 1, rtol=1e-12)


def test_minmax_maps_each_channel_to_zero_and_one(samples):
    fitted = Normalization.fit(samples, "minmax")
    unit = flat([fitted.apply(s) for s in samples])
    assert np.allclose(unit.min(axis=1), 0, atol=1e-14)
    assert np.allclose(unit.max(axis=1), 1, rtol=1e-14)


def test_a_small_deviation_beside_a_large_mean_is_not_lost(rng):
    samples = [1e5 + rng.normal(size=(1, 4, 4, 4)) for _ in range(50)]
    expected = np.concatenate([s.ravel() for s in samples]).std()
    assert Normalization.fit(samples).scale[0] == pytest.approx(expected, rel=1e-9)


def test_masked_samples_count_the_voxels_that_are_kept(samples):
    kept = [s[:, s[0] > 5] for s in samples]
    fitted = Normalization.fit(kept)
    assert np.allclose(fitted.shift, flat(kept).mean(axis=1))
    nothing_kept = kept[0][:, :0]
    assert Normalization.fit([*kept, nothing_kept]) == fitted


def test_a_shared_scale_is_the_mean_deviation_to_a_power_of_two(samples):
    fitted = Normalization.fit(samples, shared=True)
    assert len(set(fitted.scale)) == 1
    mantissa, _ = np.frexp(fitted.scale[0])
    assert mantissa == 0.5
    ratio = fitted.scale[0] / flat(samples).std(axis=1).mean()
    assert 0.5**0.5 <= ratio <= 2**0.5
    assert np.allclose(fitted.shift, flat(samples).mean(axis=1))


def test_a_shared_range_keeps_all_channels_near_zero_to_one(samples):
    fitted = Normalization.fit(samples, "minmax", shared=True)
    unit = flat([fitted.apply(s) for s in samples])
    assert unit.min() == pytest.approx(0, abs=1e-14)
    assert 0.7 < unit.max() < 1.42
    assert len(set(fitted.shift)) == len(set(fitted.scale)) == 1


def test_rescaling_by_a_shared_scale_rescales_the_divergence_bit_for_bit(rng):
    rotated, grid = discretization("rotated"), Grid((6, 5, 4))
    stress = rng.normal(size=(1, 6, 6, 5, 4)).astype(np.float32)
    for deviation in (3e-4, 170.0):
        fitted = Normalization.fit([deviation * stress[0]], shared=True)
        moved = Normalization((0.0,) * 6, fitted.scale, shared=True).undo(stress)
        assert moved.dtype == np.float32
        expected = rotated.divergence(stress, grid) * np.float32(fitted.scale[0])
        assert np.array_equal(rotated.divergence(moved, grid), expected)


def test_a_scale_for_each_channel_would_break_equilibrium(rng):
    rotated, grid = discretization("rotated"), Grid((6, 5, 4))
    stress = rotated.stress_function(rng.normal(size=(6, 6, 5, 4)), grid)

    def imbalance(s):
        return np.abs(rotated.divergence(s, grid)).max() / np.abs(s).max()

    shared = Normalization.fit(stress, shared=True)
    own = Normalization.fit(stress)
    assert imbalance(shared.apply(stress)) < 1e-12
    assert imbalance(own.apply(stress)) > 1e-3


@pytest.mark.parametrize("kind", ["whiten", "minmax"])
@pytest.mark.parametrize("shared", [False, True])
def test_undo_undoes_apply(samples, kind, shared):
    fitted = Normalization.fit(samples, kind, shared)
    for s in samples:
        assert np.allclose(fitted.undo(fitted.apply(s)), s, rtol=1e-12)


def test_a_constant_channel_is_centred_and_not_blown_up(rng):
    samples = [rng.normal(size=(2, 3, 3, 3)) for _ in range(3)]
    for s in samples:
        s[1] = 200.0 + 1e-13 * rng.normal(size=(3, 3, 3))
    for kind in ("whiten", "minmax"):
        fitted = Normalization.fit(samples, kind)
        assert fitted.scale[1] == 1
        assert np.abs(fitted.apply(samples[0])[1]).max() < 1e-10
    nothing = Normalization.fit([np.zeros((2, 3, 3, 3))], shared=True)
    assert nothing.scale == (1.0, 1.0)


def test_what_json_gives_back_is_the_same(samples):
    for shared in (False, True):
        fitted = Normalization.fit(samples, "minmax", shared)
        again = Normalization.from_dict(json.loads(json.dumps(fitted.as_dict())))
        assert again == fitted


def test_tensors_of_torch_are_normalised_as_arrays(samples):
    torch = pytest.importorskip("torch")
    fitted = Normalization.fit([torch.from_numpy(s) for s in samples])
    assert fitted == Normalization.fit(samples)
    for dtype in (torch.float32, torch.float64):
        batch = torch.from_numpy(samples[0])[None].to(dtype)
        white = fitted.apply(batch)
        assert white.dtype == dtype
        assert np.allclose(white.numpy(), fitted.apply(batch.numpy()), rtol=1e-5)
        assert np.allclose(fitted.undo(white).numpy(), batch.numpy(), rtol=1e-5)


def test_what_cannot_be_normalised_by_is_refused_in_one_line(samples):
    with pytest.raises(InputError, match="at least one"):
        Normalization.fit([])
    with pytest.raises(InputError, match="sample 5 has 2 channels: expected 3"):
        Normalization.fit([*samples, np.ones((2, 4, 4, 4))])
    with pytest.raises(InputError, match="sample 1: values that are not finite"):
        Normalization.fit([samples[0], np.full((3, 2, 2, 2), np.nan)])
    with pytest.raises(InputError, match="whiten, minmax"):
        Normalization.fit(samples, "log")
    for data in (
        {"shift": [0.0], "scale": [0.0]},
        {"shift": [0.0], "scale": [1.0, 1.0]},
        {"shift": [0.0, 0.0], "scale": [1.0, 2.0], "shared": True},
        {"shift": [float("nan")], "scale": [1.0]},
        {"shift": ["a"], "scale": [1.0]},
        {"offset": [0.0]},
        None,
    ):
        with pytest.raises(InputError, match="normalisation"):
            Normalization.from_dict(data)
