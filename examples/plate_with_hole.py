"""A plate with a hole, of a composite: finite elements that call a trained network.

Every integration point of the plate is a metal with stiff spheres. A network of
laminates learns the composite from linear solves; then each point's stress and tangent
are the network's, for a metal that yields. The finite elements are those of a first
course, quadrilaterals in plane strain, so that nothing else needs to be installed.

    python examples/plate_with_hole.py [picture.png]
"""

import sys
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import spsolve

from ecosurrogate.response.point import MaterialPoint
from ecosurrogate.response.trained_network import fit
from ecosurrogate.response.training import Training
from fftmech import Load, March, Step
from fftmech import Path as LoadPath
from fftmech.datasets.stiffness import make_pairs
from fftmech.io.materials import parse_materials
from fftmech.materials import isotropic
from fftmech.microstructure.inclusions import sphere

RADIUS, STRETCH, INCREMENTS = 0.3, 4e-3, 5
MATERIALS = parse_materials(
    {
        "units": "GPa",
        "phase": [
            {
                "id": 0,
                "isotropic": {"E": 70.0, "nu": 0.3},
                "plasticity": {"yield_stress": 0.1, "hardening": 1.0},
            },
            {"id": 1, "isotropic": {"E": 400.0, "nu": 0.2}},
        ],
    },
    "materials",
)
PLANE = [0, 1, 5]
"""Components of plane strain, of xx yy zz yz xz xy; the others are zero."""


def composite(res=8):
    """A sphere in a cube of metal, 20 % of the volume."""
    body = sphere(res, 0.363, isotropic(E=70, nu=0.3), isotropic(E=400, nu=0.2))
    return MATERIALS.apply(body.with_changes(units={"stress": "GPa"}))


def learned(body, folder):
    """The composite as the material of a finite element code."""
    make_pairs(body, folder / "pairs", 60)
    training = Training(depth=4, steps=300, starts=4)
    network, _ = fit(folder / "pairs", folder / "run", training)
    error = network.errors["validation"]["energy"]["mean"]
    print(f"network: energy of pairs that it has not seen to {100 * error:.1f} %")
    return MaterialPoint(network.network(MATERIALS))


def quarter(around=12, out=8):
    """Nodes and quadrilaterals of a quarter of a square plate with a hole."""
    angle = np.linspace(0, np.pi / 2, around + 1)
    circle = RADIUS * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    edge = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    edge /= abs(edge).max(axis=1, keepdims=True)
    share = np.linspace(0, 1, out + 1) ** 1.5
    nodes = circle[:, None] + share[:, None] * (edge - circle)[:, None]
    number = np.arange((around + 1) * (out + 1)).reshape(around + 1, out + 1)
    a, b = number[:-1], number[1:]
    corners = a[:, :-1], a[:, 1:], b[:, 1:], b[:, :-1]
    return nodes.reshape(-1, 2), np.stack(corners, axis=-1).reshape(-1, 4)


def strain_matrices(nodes, elements):
    """B with strain = B u, (e, 4, 3, 8), xx yy and engineering xy; and weights."""
    at = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    B, weight = [], []
    for xi, eta in at / np.sqrt(3):
        slope = at * (1 + at[:, ::-1] * [eta, xi]) / 4
        J = np.einsum("na,enb->eab", slope, nodes[elements])
        D = np.einsum("eab,nb->ena", np.linalg.inv(J), slope)
        b = np.zeros((len(elements), 3, 8))
        b[:, 0, 0::2] = b[:, 2, 1::2] = D[..., 0]
        b[:, 1, 1::2] = b[:, 2, 0::2] = D[..., 1]
        B.append(b)
        weight.append(np.linalg.det(J))
    return np.stack(B, axis=1), np.stack(weight, axis=1)


def solve(point, nodes, elements):
    """Stretch the plate along y; the points' states, mean stresses and Newton steps."""
    B, weight = strain_matrices(nodes, elements)
    freedoms = (2 * elements[..., None] + [0, 1]).reshape(len(elements), 8)
    rows, columns = np.repeat(freedoms, 8), np.tile(freedoms, 8).ravel()
    count = 2 * len(nodes)
    top = 2 * np.flatnonzero(nodes[:, 1] > 1 - 1e-9) + 1
    left = 2 * np.flatnonzero(nodes[:, 0] < 1e-9)
    bottom = 2 * np.flatnonzero(nodes[:, 1] < 1e-9) + 1
    fixed = np.concatenate([left, bottom, top])
    free = np.setdiff1d(np.arange(count), fixed)
    u, state = np.zeros(count), point.start(4 * len(elements))
    steps, force = 0, [0.0]
    for increment in range(1, INCREMENTS + 1):
        u[top] = STRETCH * increment / INCREMENTS
        first = None
        while True:
            strain = np.zeros((4 * len(elements), 6))
            strain[:, PLANE] = np.einsum("eqij,ej->eqi", B, u[freedoms]).reshape(-1, 3)
            stress, tangent, new = point.update(strain, state)
            s = stress[:, PLANE].reshape(*weight.shape, 3)
            D = tangent[:, PLANE][..., PLANE].reshape(*weight.shape, 3, 3)
            inner = np.einsum("eq,eqij,eqi->ej", weight, B, s)
            f = np.bincount(freedoms.ravel(), inner.ravel(), count)
            first = first or np.linalg.norm(f[free])
            residual = np.linalg.norm(f[free]) / first
            print(f"  increment {increment}: residual {residual:.1e}")
            if residual < 1e-8:
                break
            K = np.einsum("eq,eqij,eqik,eqkl->ejl", weight, B, D, B)
            K = coo_matrix((K.ravel(), (rows, columns)), (count, count)).tocsr()
            u[free] -= spsolve(K[free][:, free], f[free])
            steps += 1
        state = new
        force.append(float(f[top].sum()))
    return state, stress, steps, force


def draw(picture, nodes, elements, state, body, point):
    """Colour each element by the plastic strain of its metal."""
    metal = state.variables[0][6]
    # plastic strain that each leaf of metal has accumulated, by volume
    leaves = point.network.leaves
    weight = leaves.weight[leaves.phase == 0]
    accumulated = (weight @ metal / weight.sum()).reshape(-1, 4).mean(axis=1)
    figure, ax = plt.subplots(figsize=(5.6, 4.8), layout="constrained")
    for mirrored in ((1, 1), (-1, 1), (1, -1), (-1, -1)):
        drawn = ax.tripcolor(
            *(nodes * mirrored).T,
            np.concatenate([elements[:, [0, 1, 2]], elements[:, [0, 2, 3]]]),
            facecolors=np.tile(100 * accumulated, 2),
            cmap="viridis",
        )
    figure.colorbar(drawn, label="plastic strain of the metal, %")
    ax.set(aspect="equal", xlim=(-1.02, 1.02), ylim=(-1.02, 1.02))
    ax.set_axis_off()
    ax.set_title(f"stretched along y (up) by {STRETCH:.1%}")
    figure.savefig(picture, dpi=120)


def main():
    picture = sys.argv[1] if len(sys.argv) > 1 else "plate_with_hole.png"
    body = composite()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        point = learned(body, Path(folder))
    print(f"learned in {time.perf_counter() - started:.1f} s")
    nodes, elements = quarter()
    started = time.perf_counter()
    state, stress, steps, force = solve(point, nodes, elements)
    seconds = time.perf_counter() - started
    print(
        f"{4 * len(elements)} points, {steps} iterations of Newton's method, "
        f"{seconds:.2f} s; force {force[-1]:.4f}"
    )
    # what one point costs the solver, on a path like that of the plate's points
    path = LoadPath((Step(Load({"yy": STRETCH}), increments=INCREMENTS),))
    march = March(body, path)
    started = time.perf_counter()
    list(march.points())
    one = time.perf_counter() - started
    print(
        f"the solver takes {one:.2f} s for one point: {one * 4 * len(elements):.0f} s "
        f"for all, if each of them needed no more than one solve an increment"
    )
    draw(picture, nodes, elements, state, body, point)


if __name__ == "__main__":
    main()
