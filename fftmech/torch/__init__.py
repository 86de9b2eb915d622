"""A solver that torch can differentiate, for inverse problems and training through it.

`solve` takes a phase map, stiffness and a load as tensors, batched, on CPU or CUDA, and
its fields have derivatives of any order with respect to stiffness, mean strain, mean
stress and eigenstrain, and the transforms of torch.func. `isotropic`, `cubic` and
`rotate` build stiffness that has derivatives too.

Conventions are those of `fftmech`, on tensors: Mandel throughout, in the order xx, yy,
zz, yz, xz, xy, off-diagonals times sqrt(2); fields (batch, component, x, y, z).

Its import has torch's threads sleep while they wait, if torch is imported later, by two
variables of the environment: OMP_WAIT_POLICY and GOMP_SPINCOUNT (docs/speed.md).
"""

from fftmech.arrays.threads import let_openmp_sleep, limit_torch_threads
from fftmech.errors import InputError, NotConverged

try:
    let_openmp_sleep()
    import torch as _torch
except ImportError:
    raise InputError(
        "fftmech.torch needs torch, which is not installed",
        mend='pip install "fftmech[torch]"',
    ) from None

from fftmech.tensors import quaternion_from_bunge
from fftmech.torch.solve import Fields, effective_stiffness, solve
from fftmech.torch.stiffness import cubic, isotropic, rotate

limit_torch_threads(_torch)

__all__ = [
    "Fields",
    "NotConverged",
    "cubic",
    "effective_stiffness",
    "isotropic",
    "quaternion_from_bunge",
    "rotate",
    "solve",
]
