"""Bodies get several attempts, and their classes are balanced."""

import numpy as np
import pytest

from fftmech import InputError
from fftmech.datasets import body_seed
from fftmech.datasets.recipe import ATTEMPTS, balanced, first_sound


def test_a_refused_attempt_is_followed_by_the_next_seed():
    seeds = [body_seed(3, 7, attempt) for attempt in range(ATTEMPTS)]
    assert len(set(seeds)) == ATTEMPTS

    def make(seed):
        if seed in seeds[:4]:
            raise InputError("no")
        return seed

    assert first_sound(make, 3, 7) == seeds[4]


def test_the_last_refusal_is_passed_on():
    tried = []

    def make(seed):
        tried.append(seed)
        raise InputError(f"attempt {len(tried)}")

    with pytest.raises(InputError, match=f"attempt {ATTEMPTS}$"):
        first_sound(make, 0, 0)
    assert tried == [body_seed(0, 0, attempt) for attempt in range(ATTEMPTS)]


@pytest.mark.parametrize("names", [("a", "b", "c", "d"), ("a", "b", "c")])
def test_each_block_of_bodies_has_every_class_once_in_random_order(names):
    drawn = [balanced(names, 5, index) for index in range(300 * len(names))]
    blocks = np.array(drawn).reshape(300, len(names))
    assert (np.sort(blocks, axis=1) == np.sort(names)).all()
    # at every place each class comes equally often: 3.5 standard deviations
    share = (blocks[:, :, None] == np.array(names)).mean(axis=0)
    p = 1 / len(names)
    assert share == pytest.approx(p, abs=3.5 * np.sqrt(p * (1 - p) / 300))
