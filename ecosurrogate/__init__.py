"""Equilibrium Conserving Operator networks (Oommen, Robertson et al.).

Networks whose blocks enforce equilibrium and compatibility exactly, with the stencils
of `fftmech`; their training, predictions, evaluation and server. `ecosr` is the command
line.

Its import has torch's threads sleep while they wait, if torch is imported later, by two
variables of the environment: OMP_WAIT_POLICY and GOMP_SPINCOUNT (docs/speed.md).
"""

from fftmech.arrays.threads import let_openmp_sleep
from fftmech.version import __version__ as __version__

# before torch is imported, which this package's modules do
let_openmp_sleep()
