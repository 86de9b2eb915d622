"""Microstructures: a phase map, a stiffness table, and generators of both."""

from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.inclusions import inclusions, sphere
from fftmech.microstructure.laminate import laminate
from fftmech.microstructure.polycrystal import polycrystal
from fftmech.microstructure.pores import pores, single_pore
from fftmech.microstructure.resample import resample
from fftmech.microstructure.resolution import parse_resolution, shape_for
from fftmech.microstructure.texture import Fibre, Peak
from fftmech.microstructure.unindexed import fill_unindexed

__all__ = [
    "Fibre",
    "Microstructure",
    "Peak",
    "fill_unindexed",
    "inclusions",
    "laminate",
    "parse_resolution",
    "polycrystal",
    "pores",
    "resample",
    "shape_for",
    "single_pore",
    "sphere",
]
