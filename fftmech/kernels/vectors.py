"""Vector updates in one pass over memory."""

from fftmech.kernels.compiled import compiled


@compiled
def subtract(r, alpha, q):
    """r <- r - alpha q."""
    for i in range(len(r)):
        r[i] -= alpha * q[i]


@compiled
def dot(a, b):
    """Sum of a b in double precision, block by block."""
    total = 0.0
    for start in range(0, len(a), 256):
        part = a[0] * b[0] * 0
        for i in range(start, min(start + 256, len(a))):
            part += a[i] * b[i]
        total += part
    return total


@compiled
def turn(v, alpha, p, beta, z):
    """v <- v + alpha p, then p <- z + beta p."""
    for i in range(len(v)):
        v[i] += alpha * p[i]
        p[i] = z[i] + beta * p[i]
