"""Equilibrium Conserving Operator networks (Oommen, Robertson et al.).

Networks whose blocks enforce equilibrium and compatibility exactly, with the stencils
of `fftmech`; their training, predictions, evaluation and server. `ecosr` is the command
line.
"""

from fftmech.version import __version__ as __version__
