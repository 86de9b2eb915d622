"""The option that prescribes faces of a box that is not periodic."""

from typing import Any

import click

from fftmech import Boundary, InputError
from fftmech.loads.boundary import KINDS
from fftmech.tensors import COMPONENTS
from fftmech_cli.load import parse_pairs

boundary_option = click.option(
    "--boundary",
    multiple=True,
    metavar="AXIS=KIND",
    help="Both faces across x, y or z: uniaxial (grips without friction, moved by the "
    "mean strain along the axis), displacement (E.x, with the mean strain E), free or "
    "periodic; may be repeated.  [default: periodic]",
)


def parse_boundary(items: tuple[str, ...]) -> Boundary | None:
    """Return the conditions that --boundary describes, None if the box is periodic."""
    expected = f"AXIS=KIND with AXIS of x, y, z and KIND of {', '.join(KINDS)}"
    kinds: dict[str, Any] = parse_pairs("--boundary", items, ("x", "y", "z"), expected)
    for axis, kind in kinds.items():
        if kind not in KINDS:
            raise InputError(f"--boundary {axis}={kind}", expected)
    boundary = Boundary(**kinds)
    return None if all(boundary.periodic) else boundary


def released(boundary: Boundary | None) -> dict[str, str]:
    """Text for each component that faces of the box prescribe, and not the load."""
    texts = {"held": "strain 0", "released": "free faces"}
    if boundary is None:
        return {}
    roles = {name: boundary.role(name) for name in COMPONENTS}
    return {name: texts[role] for name, role in roles.items() if role in texts}
