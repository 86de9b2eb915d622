"""The voxel grid: what it takes, and what it refuses."""

import numpy as np
import pytest

from fftmech import Grid, InputError


def test_arrays_lists_and_tuples_make_the_same_grid():
    grid = Grid((2, 3, 4), (1.0, 2.0, 0.5), (0.0, 0.0, 1.0))
    arrays = Grid(np.array([2, 3, 4]), np.array([1.0, 2.0, 0.5]), np.array([0, 0, 1.0]))
    assert arrays == Grid([2, 3, 4], [1, 2, 0.5], [0, 0, 1]) == grid
    assert all(type(n) is int for n in arrays.shape)


@pytest.mark.parametrize(
    "arguments",
    [
        ((4, 4),),
        ((4, 4, 0),),
        ((4, 4, 2.5),),
        ((4, 4, np.nan),),
        ((4, 4, np.inf),),
        ((4, 4, None),),
        ((4, 4, "a"),),
        (4,),
        ((4, 4, 4), (1.0, 1.0)),
        ((4, 4, 4), (1.0, 1.0, 0.0)),
        ((4, 4, 4), np.array([1.0, np.nan, 1.0])),
        ((4, 4, 4), 1.0),
        ((4, 4, 4), None, (0.0, 0.0)),
        ((4, 4, 4), None, (0.0, 0.0, np.inf)),
    ],
    ids=str,
)
def test_what_is_no_grid_is_refused_in_one_line(arguments):
    with pytest.raises(InputError, match="grid (shape|spacing|origin) .*: expected"):
        Grid(*arguments)
