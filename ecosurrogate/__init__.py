"""Equilibrium Conserving Operator networks (Oommen, Robertson et al.).

Networks whose blocks enforce equilibrium and compatibility exactly, with the stencils
of `fftmech`. This release holds the name and the version; the networks are to come.
"""

__version__ = "0.1.0"
