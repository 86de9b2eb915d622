"""Options that say where a microstructure comes from, shared by commands."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from fftmech import Grid, InputError, Microstructure, read
from fftmech.arrays.memory import size_text
from fftmech.arrays.ranks import ALONE, Processes, Ranks
from fftmech.io import read_shared
from fftmech.io.crystals import FRAMES, HEXAGONAL
from fftmech.io.ebsd import MISORIENTATION
from fftmech.io.materials import read_materials
from fftmech.io.voxel_images import with_images
from fftmech.microstructure.base import share
from fftmech.microstructure.resample import RULES, resample
from fftmech.microstructure.resolution import parse_resolution, shape_for
from fftmech.microstructure.unindexed import fill_unindexed
from fftmech_cli.numbers import Numbers
from fftmech_cli.options import options
from fftmech_cli.rim import STRICT, Finite, print_notes

reading_options = options(
    click.option(
        "--materials",
        type=click.Path(),
        metavar="FILE",
        help="Materials file (TOML, or DAMASK's material.yaml): stiffness by phase.",
    ),
    click.option(
        "--dataset",
        metavar="PATH",
        help="Path inside SOURCE of the phase ids, where it holds several.",
    ),
    click.option(
        "--axes",
        type=click.Choice(["xyz", "zyx"]),
        help="Order of a bare array's indices; zyx has x running fastest.",
    ),
    click.option(
        "--threshold",
        type=Finite(),
        metavar="T",
        help="Grey image: value > T is phase 1, the rest phase 0.",
    ),
    click.option(
        "--shape", type=Numbers("NX,NY,NZ", int), help="Voxels of a headerless image."
    ),
    click.option(
        "--dtype",
        metavar="TYPE",
        help="Voxel type of a headerless image: uint8, uint16, float32, ...",
    ),
    click.option(
        "--spacing",
        type=Numbers("HX,HY,HZ"),
        help="Edges of a voxel, of an image that does not hold them.",
    ),
)
"""Add --materials and the options that say how to read an image."""


orientation_options = options(
    click.option(
        "--misorientation",
        type=Finite(),
        metavar="DEGREES",
        help="EBSD scan: neighbours this close are one grain; 0: each pixel is one.  "
        f"[default: {MISORIENTATION:g}]",
    ),
    click.option(
        "--frame",
        type=click.Choice(list(FRAMES)),
        help="Axes of Euler angles: those of the map, or half a turn about x, y, ... "
        "away.",
    ),
    click.option(
        "--hexagonal",
        type=click.Choice(list(HEXAGONAL)),
        help="Hexagonal and trigonal crystals: x along a, or y along b.  [default: as "
        "the kind of file]",
    ),
)
"""Add the options that say how to read orientations."""

body_options = options(
    reading_options,
    orientation_options,
    click.option(
        "--crop",
        type=Numbers("X0,X1,Y0,Y1,Z0,Z1", int),
        help="Part of an image: first voxel and the one after the last, by axis.",
    ),
    click.option(
        "--unindexed",
        metavar="pore|nearest|MATERIAL",
        help="What the voxels are that a measurement did not index.",
    ),
    click.option(
        "--strict",
        is_flag=True,
        expose_value=False,
        callback=lambda context, _, value: context.meta.update({STRICT: value}),
        help="Refuse whatever would be assumed or ignored with a note.",
    ),
)
"""Add the options that say how to read a body."""

source_options = options(click.argument("source", type=click.Path()), body_options)
"""Add the argument SOURCE and the options that say how to read it."""

resolution_options = options(
    click.option(
        "--res",
        metavar="N|NX,NY,NZ",
        help="Resample to N voxels along the longest axis.  [default: as in SOURCE]",
    ),
    click.option(
        "--composite",
        type=click.Choice([rule for rule in RULES if rule != "majority"]),
        help="Average the stiffness in voxels that phases share.  [default: "
        "the phase with the largest share]",
    ),
)
"""Add --res and --composite."""


def load_microstructure(source: str, **options: Any) -> Microstructure:
    """Read SOURCE as its options say; see `body_reader`."""
    return body_reader(**options)(source)


def body_reader(
    materials: str | None = None,
    res: str | None = None,
    composite: str | None = None,
    unindexed: str | None = None,
    check: Callable[[Grid], None] = lambda grid: None,
    tell: Callable[[Sequence[str], Sequence[str]], None] = print_notes,
    ranks: Ranks = ALONE,
    images: Sequence[str] = (),
    **reading: Any,
) -> Callable[[str], Microstructure]:
    """Return what reads sources, gives their phases materials, and resamples them.

    Options that are wrong for every source are refused here. `check` is called with the
    grid that is to be made, before it is made, `tell` with a body's notes, and with
    those that options say. `reading` are the options of `fftmech.io.read`. Of `ranks`
    each gets its planes: of a file that this program wrote it reads no others, else the
    first reads all. `images` are names of scalar images that a body has to have.
    """
    if composite and res is None:
        raise InputError(f"--composite {composite} without --res: add --res N")
    resolution = None if res is None else parse_resolution(res)
    listed = None if materials is None else read_materials(materials)
    rule = composite or "majority"

    def finished(body: Microstructure) -> Microstructure:
        found = body.notes
        if unindexed:
            body = fill_unindexed(body, unindexed)
        said = body.notes[len(found) :]
        if listed:
            body = listed.apply(body)
        if resolution is not None:
            body = _resampled(body, resolution, rule, check)
        tell(body.notes, said)
        return body

    def load(source: str) -> Microstructure:
        plain = res is None and not unindexed and not any(reading.values())
        if plain and isinstance(ranks, Processes):
            body = read_shared(source, ranks)
            if body is not None:
                return finished(body)

        def whole() -> Microstructure:
            body = read(source, **reading)
            return with_images(body, source, images, reading.get("axes"))

        return share(lambda: finished(whole()), ranks)

    return load


def _resampled(
    body: Microstructure, resolution: Any, rule: str, check: Callable[[Grid], None]
) -> Microstructure:
    old, shape = body.grid.shape, shape_for(body.grid, resolution)
    check(body.grid.with_shape(shape))
    body = resample(body, shape, rule)
    if any(n > m for n, m in zip(shape, old, strict=True)):
        sizes = f"{size_text(old)} to {size_text(shape)}"
        return body.noted(f"refined from {sizes} voxels")
    return body
