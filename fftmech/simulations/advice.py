"""What to do about a solve that did not converge."""

import numpy as np

from fftmech.problems.linear import Problem


def advice_for(
    status: str, problem: Problem, solver: str, max_iterations: int, precision: str
) -> str:
    """One line on what to do about a status."""
    if status == "converged":
        return ""
    scheme = problem.scheme.name
    if not np.isfinite(problem.scale):
        return "the numbers overflow; check the units and the size of the load"
    pores = len(problem.microstructure.pores) > 0
    if status == "diverged" and pores and problem.load.free.any():
        return (
            "the solid may be a mechanism that cannot carry the prescribed stress; "
            "prescribe strains instead"
        )
    if solver not in ("cg", "jacobi-cg"):
        return "use --solver cg, which needs no finite contrast"
    if pores and scheme not in ("rotated", "hex8"):
        return f"scheme {scheme} does not converge with pores; use --scheme rotated"
    if status == "stagnated" and precision == "single":
        return "rounding ends the descent; use --precision double or a larger --tol"
    if status == "max_iterations":
        return (
            f"raise --max-iterations (now {max_iterations}) or --tol; rough or grey "
            "images may need --scheme hex8 --solver jacobi-cg"
        )
    return "rounding ends the descent; use a larger --tol"
