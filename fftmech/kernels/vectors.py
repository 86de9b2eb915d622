"""Vector updates in one pass over memory."""

import numpy as np

from fftmech.kernels.compiled import compiled


@compiled
def subtract(r, alpha, q):
    """r <- r - alpha q."""
    for i in range(len(r)):
        r[i] -= alpha * q[i]


@compiled
def dot(a, b):
    """Sum of a b, in double precision."""
    total = 0.0
    for i in range(len(a)):
        total += np.float64(a[i]) * np.float64(b[i])
    return total


@compiled
def update_direction(v, alpha, p, beta, z):
    """v <- v + alpha p, then p <- z + beta p."""
    for i in range(len(v)):
        v[i] += alpha * p[i]
        p[i] = z[i] + beta * p[i]
