"""Files for tests of the viewer."""

from conftest import EMPTY, SOFT, STIFF, grains, sphere

import fftmech
from fftmech import Load, io
from fftmech.results.result import Result

TENSION = Load.uniaxial("xx", 1e-3)


def written(tmp_path_factory):
    """Folder of two results, of a body, of one with a pore and of a smaller one."""
    where = tmp_path_factory.mktemp("view")
    body = grains((6, 5, 4)).with_changes(units={"stress": "GPa", "length": "um"})
    io.write_result(where / "a.vtkhdf", fftmech.solve(body, TENSION))
    io.write_result(where / "b.vtkhdf", fftmech.solve(body, Load({"xy": 1e-3})))
    io.write(where / "grains.h5", body)
    io.write_result(
        where / "pore.vtkhdf", fftmech.solve(sphere(6, STIFF, EMPTY), TENSION)
    )
    io.write_result(
        where / "small.vtkhdf", fftmech.solve(sphere(4, STIFF, SOFT), TENSION)
    )
    return where


def solved(file) -> Result:
    """The result that an opened file holds."""
    assert isinstance(file.source, Result)
    return file.source
