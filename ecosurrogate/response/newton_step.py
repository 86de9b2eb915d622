"""A Newton step of a tree of laminates, compiled, over many points at once.

It is one on the jumps of all interfaces (Gajek, Schneider and Boehlke 2020), without
their matrix: leaves are linear, and `ecosurrogate.response.condensation` has the rest.
A step that went too far is shortened.
"""

import numpy as np

from ecosurrogate.response.condensation import condense, prescribe, spread
from ecosurrogate.response.laminate_lanes import JUMP, MEDIUM, SIX, WORK, L
from ecosurrogate.response.point_lanes import Scratch, put
from ecosurrogate.response.trial import advance, foresee, judge
from fftmech.kernels.compiled import U, compiled, uncounted
from fftmech.kernels.simd import LANES, load


@compiled
def newton_step(tree, response, trial, taken, tolerance):
    """Judge a trial, and replace it where it is no solution; at how many points.

    `taken` steps were taken before: while there are none, the error is infinite.
    Points without a stress have the error NaN. They and solutions are left as they are.
    """
    leaves, count = len(tree.weight), len(tree.layers)
    places = 1 + np.max(tree.slots) if count > 0 else 1
    s = Scratch(
        np.empty(leaves * 6 * LANES),
        np.empty(leaves * 6 * LANES),
        np.empty((leaves + count) * 6 * LANES),
        np.empty(places * MEDIUM),
        np.empty(count * JUMP),
        np.empty(WORK),
        np.empty(42 * LANES),
        np.zeros(LANES, np.bool_),
        np.zeros(LANES, np.bool_),
        np.empty(LANES),
    )
    return _step(tree, response, trial, taken, tolerance, s)


@uncounted
def _step(tree, response, trial, taken, tolerance, s):
    points, wanted = trial.strain.shape[2], trial.tangent.shape[2] > 0
    whole = U(len(tree.weight) + len(tree.layers) - 1) * SIX
    left = 0
    for i in range(U(0), U(points), L):
        block = U(points), i, min(L, U(points) - i)
        going = judge(tree, response, trial, block, taken, tolerance, s)
        left += going
        if going > 0 or wanted:
            root = condense(tree, response, block, s)
            if wanted:
                for k in range(U(36)):
                    entry = load(s.media, root + (k % U(6) * U(6) + k // U(6)) * L)
                    put(trial.tangent, k, block, entry)
            if going > 0:
                prescribe(trial, block, s, root, whole)
                spread(tree, s)
                advance(tree, trial, block, taken, s)
                foresee(response, trial, block, s)
    return left
