"""Microstructures: a phase map, a stiffness table, and generators of both."""

from fftmech.microstructure.base import Microstructure

__all__ = ["Microstructure"]
