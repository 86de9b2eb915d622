"""Registers of eight numbers in compiled code."""

import numba
import numpy as np
import pytest

from fftmech.kernels.compiled import U
from fftmech.kernels.simd import LANES, load, load_some, store, store_some


def test_some_numbers_are_read_and_written_and_no_others():
    @numba.njit
    def copied(source, out, spare, count):
        store(spare, U(0), load_some(source, U(1), U(count)))
        store_some(out, U(2), load(spare, U(0)), U(count))

    for count in range(LANES + 1):
        source, out, spare = np.arange(1.0, 10), np.full(11, -1.0), np.empty(LANES)
        copied(source, out, spare, count)
        np.testing.assert_array_equal(spare[:count], source[1 : 1 + count])
        assert not spare[count:].any()
        right = np.full(11, -1.0)
        right[2 : 2 + count] = source[1 : 1 + count]
        np.testing.assert_array_equal(out, right)


@pytest.mark.parametrize(
    "field", [np.zeros(32)[::2], np.zeros((4, 8)).T, np.zeros(8, np.float32)]
)
def test_numbers_that_do_not_follow_each_other_are_refused(field):
    @numba.njit
    def read(field, out):
        store(out, U(0), load(field, U(0)))

    with pytest.raises(Exception, match="no contiguous array of float64"):
        read(field, np.zeros(LANES))
