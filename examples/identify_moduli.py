"""Two moduli and the orientation of a grain, identified from a mean response.

    python examples/identify_moduli.py [picture.png]

A cell holds a copper grain of unknown orientation, in a matrix with stiff particles
whose Young's moduli are both unknown. Known are the geometry and, with errors of 0.2 %,
the 21 effective constants. The solver's gradients lead a quasi-Newton descent (L-BFGS)
of the misfit to the unknowns; an evaluation costs six solves, and about as much again
for the gradient, whatever the number of unknowns.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.spatial.transform import Rotation

from fftmech import Grid
from fftmech.torch import (
    cubic,
    effective_stiffness,
    isotropic,
    quaternion_from_bunge,
    rotate,
)

N, NOISE = 16, 2e-3
MATRIX, GRAIN, PARTICLES = 0, 1, 2
copper = cubic(168.4, 121.4, 75.4)  # GPa
true_moduli = torch.tensor([70.0, 400.0], dtype=torch.float64)  # matrix, particles
true_angles = torch.tensor([35.0, 40.0, 20.0], dtype=torch.float64)
true_orientation = quaternion_from_bunge(true_angles, degrees=True)


def geometry():
    """Phases: a spherical grain in the middle, eight particles between its images."""
    x = np.stack(np.broadcast_arrays(*Grid((N, N, N)).centers())) - 0.5
    phase = np.full((N, N, N), MATRIX)
    phase[(x**2).sum(0) < 0.36**2] = GRAIN
    corner = np.abs(x) - 0.36
    phase[(corner**2).sum(0) < 0.13**2] = PARTICLES
    return torch.from_numpy(phase)


def response(moduli, orientation):
    """Effective stiffness of the cell, Mandel (GPa)."""
    phases = torch.stack(
        [
            isotropic(E=moduli[0], nu=0.33),
            rotate(copper, orientation),
            isotropic(E=moduli[1], nu=0.2),
        ]
    )
    return effective_stiffness(phase, phases)


def misorientation(a, b):
    """Angle between two orientations of a cubic crystal, degrees."""
    a, b = (Rotation.from_quat(np.roll(q.detach().numpy(), -1)) for q in (a, b))
    return np.degrees((a.inv() * b * Rotation.create_group("O")).magnitude().min())


torch.manual_seed(0)
phase = geometry()
measured = response(true_moduli, true_orientation)
errors = NOISE * measured.norm() / 6 * torch.randn(6, 6, dtype=torch.float64)
errors = (errors + errors.mT) / 2
measured = measured + errors

logarithms = torch.tensor([150.0, 150.0], dtype=torch.float64).log().requires_grad_()
orientation = torch.tensor([1.0, 0, 0, 0], dtype=torch.float64, requires_grad=True)
history = []


def misfit():
    """Relative misfit squared, and its gradient; an evaluation for the picture."""
    optimizer.zero_grad()
    loss = (response(logarithms.exp(), orientation) - measured).norm() / measured.norm()
    (loss**2).backward()
    moduli = (logarithms.detach().exp() / true_moduli).tolist()
    angle = misorientation(true_orientation, orientation)
    history.append((loss.item(), *moduli, angle))
    return loss.detach() ** 2


optimizer = torch.optim.LBFGS(
    [logarithms, orientation],
    max_iter=40,
    tolerance_grad=1e-9,
    tolerance_change=1e-12,
    line_search_fn="strong_wolfe",
)
optimizer.step(misfit)
loss, *ratios, angle = np.array(history).T
E = logarithms.detach().exp()
print(f"{optimizer.state[logarithms]['n_iter']} iterations, {len(history)} evaluations")
print(f"matrix E = {E[0]:.1f} GPa (true {true_moduli[0]:.0f})")
print(f"particles E = {E[1]:.0f} GPa (true {true_moduli[1]:.0f})")
print(
    f"grain: {angle[-1]:.2f} degrees from its true orientation, {angle[0]:.0f} before"
)

fig = plt.figure(figsize=(11.5, 3.5), layout="constrained")
left, middle, right = fig.subplots(1, 3)
left.semilogy(loss, "o-", ms=3, color="k")
noise = float(errors.norm() / measured.norm())
left.axhline(noise, ls=":", color="0.5")
left.text(0, 1.1 * noise, "errors of measurement", color="0.4")
left.set(title="misfit of the effective stiffness")
for ratio, name in zip(ratios, ("matrix", "particles"), strict=True):
    middle.plot(ratio, "o-", ms=3, label=name)
middle.axhline(1, ls=":", color="0.5")
middle.set(title="Young's modulus / true one", ylim=(0, None))
middle.legend(frameon=False)
right.semilogy(angle, "o-", ms=3, color="tab:green")
right.set(title="misorientation of the grain, degrees")
for ax in (left, right):
    ax.yaxis.set_major_formatter("{x:g}")
for ax in (left, middle, right):
    ax.set_xlabel("evaluations of misfit and gradient")
    ax.grid(color="0.92")
fig.savefig(sys.argv[1] if len(sys.argv) > 1 else "identify_moduli.png", dpi=130)
