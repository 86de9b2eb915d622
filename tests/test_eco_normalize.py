"""Laws of normalisation: one pass over the set, JSON, refusals."""

import json

import numpy as np
import pytest

from ecosurrogate.data.normalization import Normalization
from fftmech import InputError


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


def test_a_constant_channel_is_centred_and_not_blown_up(rng):
    samples = [rng.normal(size=(2, 3, 3, 3)) for _ in range(3)]
    for s in samples:
        s[1] = 200.0 + 1e-13 * rng.normal(size=(3, 3, 3))
    for kind in ("whiten", "minmax"):
        fitted = Normalization.fit(samples, kind)
        assert fitted.scale[1] == 1
        assert np.abs(fitted.apply(samples[0])[1]).max() < 1e-10
    nothing = Normalization.fit([np.zeros((2, 3, 3, 3))])
    assert nothing.scale == (1.0, 1.0)


def test_what_json_gives_back_is_the_same(samples):
    fitted = Normalization.fit(samples, "minmax")
    document = json.loads(json.dumps(fitted.as_dict()))
    assert Normalization.from_dict(document) == fitted
    # as runs of earlier versions have it
    assert Normalization.from_dict(document | {"shared": False}) == fitted


def test_what_cannot_be_normalised_by_is_refused_in_one_line(samples):
    with pytest.raises(InputError, match="whiten, minmax"):
        Normalization.fit(samples, "log")
    for data in (
        {"shift": [0.0], "scale": [0.0]},
        {"shift": [0.0], "scale": [1.0, 1.0]},
        {"shift": [float("nan")], "scale": [1.0]},
        {"shift": ["a"], "scale": [1.0]},
        {"offset": [0.0]},
        None,
    ):
        with pytest.raises(InputError, match="normalisation"):
            Normalization.from_dict(data)
