"""Equilibrium Conserving Operator networks (Oommen, Robertson et al.).

Networks whose blocks enforce equilibrium and compatibility exactly, with the stencils
of `fftmech`; their training, predictions, evaluation and server. `ecosr` is the command
line.

Its import sets OMP_WAIT_POLICY=PASSIVE in the environment, unless a variable there says
how threads of OpenMP wait: those of torch then sleep. See docs/speed.md.
"""

from fftmech.arrays.threads import let_openmp_sleep
from fftmech.version import __version__ as __version__

# before torch is imported, which this package's modules do
let_openmp_sleep()
