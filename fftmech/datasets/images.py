"""Recipe `images`: pores, or windows, cropped from the user's own images (CT)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from os import PathLike, fspath
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence

from fftmech.arrays.memory import size_text
from fftmech.datasets.blocks import Block, cut, window_sides
from fftmech.datasets.image_files import File, check_unchanged, images_in, sha256_of
from fftmech.datasets.pores import shape_statistics, solid_and_pore
from fftmech.datasets.recipe import UNITS, GeneratedBody, Recipe, first_sound
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.io import read
from fftmech.io.materials import read_materials
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.components import (
    NEIGHBOURS,
    Component,
    components,
    embedded,
)
from fftmech.microstructure.percolation import connected_axes
from fftmech.microstructure.resample import resample
from fftmech.microstructure.shape import BodyShape


@dataclass(frozen=True)
class ImagesRecipe(Recipe):
    """Single pores cut from images, or, with `window`, whole windows of them.

    A pore is a connected component. Those that touch a face of their image are cut
    off, and are left out unless there are no others. A pore is put into a cube of solid
    whose edge follows from its longest extent: linear elasticity knows no length, so
    that the size of a pore changes nothing but how many voxels it is resolved with.
    Cubes and windows are resampled to the dataset's resolution by majority.

    Parameters
    ----------
    folder
        Where the images lie.
    images
        Names in it, each with its SHA-256 (`from_folder` lists them).
    pore
        Phase ids that are empty.
    shape, dtype, threshold, axes, dataset, spacing
        How to read the images: see `fftmech.read`.
    smallest
        Voxels (of the image) that a pore must have.
    connectivity
        6, 18 or 26 neighbours that belong to one pore.
    margin
        Solid between a pore's longest extent and either face, as a part of the edge.
        At 0.25 a ball has the volume fraction 0.065, flat and long pores less.
    window
        Edge of cubic windows in voxels (along x), for phases as they are, at a random
        place of a random image. Solid must connect across a window along x, y and z;
        it is not periodic, and the load meets its opposite faces as neighbours.
    blocks
        Parts of the images that windows of each split come from (`divided` cuts them);
        anywhere if None, as in datasets of earlier versions.
    materials
        Materials file of the phases in windows, with its SHA-256. Without it they have
        the stiffness that the image's file gives them, or are pore and solid.
    E, nu
        Young's modulus (GPa) and Poisson's ratio of the solid.
    """

    kind: ClassVar[str] = "images"
    load: ClassVar[Load] = Load.uniaxial("zz", 1e-3)

    folder: str
    images: tuple[File, ...]
    pore: tuple[int, ...] = (0,)
    shape: tuple[int, int, int] | None = None
    dtype: str | None = None
    threshold: float | None = None
    axes: str | None = None
    dataset: str | None = None
    spacing: tuple[float, float, float] | None = None
    smallest: int = 200
    connectivity: int = 6
    margin: float = 0.25
    window: int | None = None
    blocks: tuple[Block, ...] | None = None
    materials: File | None = None
    E: float = 113.8
    nu: float = 0.342

    def __post_init__(self) -> None:
        for name in ("pore", "shape", "spacing", "materials"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, tuple(value))
        object.__setattr__(self, "images", tuple(tuple(file) for file in self.images))
        if self.blocks is not None:
            object.__setattr__(self, "blocks", tuple(map(Block.of, self.blocks)))
        if not self.images:
            raise InputError(f"{self.folder}: no images", mend="name one at least")
        if self.connectivity not in NEIGHBOURS:
            raise InputError(f"connectivity {self.connectivity}", "6, 18 or 26")
        if not 0 <= self.margin < 0.5:
            raise InputError(
                f"margin {self.margin:g}", "a part of the edge below 0.5, such as 0.25"
            )
        for name in ("smallest", "window"):
            value = getattr(self, name)
            if value is not None and not (value == int(value) and value >= 1):
                raise InputError(f"{name} {value}", "voxels, at least 1")
        if self.materials and self.window is None:
            raise InputError(
                f"{self.materials[0]}: single pores lie in a solid of one E and nu",
                mend="leave the materials out, or cut windows (give their voxels)",
            )
        solid_and_pore(self.E, self.nu)

    @classmethod
    def from_folder(
        cls,
        folder: str | PathLike,
        materials: str | PathLike | None = None,
        **options: Any,
    ) -> "ImagesRecipe":
        """Recipe of all images in a folder that `fftmech.read` knows, by name.

        Subfolders are not searched. `materials` is a materials file, for windows.
        """
        if materials is not None:
            options["materials"] = (fspath(materials), sha256_of(materials))
        return cls(fspath(folder), images_in(folder), **options)

    def available(self) -> int | None:
        """Number of pores in the images; None for windows, which are endless."""
        return len(_pores(self)) if self.window is None else None

    def divided(self, parts: Sequence[int]) -> Self:
        """The same, with blocks of the images for windows of each split."""
        if self.window is None:
            return self
        images = ((name, _read(self, name, sha256)) for name, sha256 in self.images)
        return replace(self, blocks=cut(images, self.window, parts))

    def of_split(self, split: str) -> Self:
        """The same, with the blocks of one split alone."""
        if self.blocks is None:
            return self
        return replace(self, blocks=tuple(b for b in self.blocks if b.split == split))

    def draw(self, seed: int, index: int, res: int) -> GeneratedBody:
        """Make body `index`: phase 0 is the solid, 1 the pore, or an image's own.

        Statistics of a pore are its image, its number there, its voxels, whether it is
        cut off at a face of the image, and `shape_statistics`; of a window its image,
        first voxel, the volume fraction of its pores, and its number of phases.
        """
        if self.window is None:
            return self._pore(seed, index, res)
        return first_sound(lambda of: self._window(of, res), seed, index)

    def _pore(self, seed: int, index: int, res: int) -> GeneratedBody:
        pores = _pores(self)
        if index >= len(pores):
            raise InputError(
                f"pore {index + 1} of {self.folder}: it has {len(pores)} of at least "
                f"{self.smallest} voxels",
                mend="lower --count or that size",
            )
        order = Generator(PCG64(SeedSequence(seed))).permutation(len(pores))
        image, grid, pore = pores[order[index]]
        box = embedded(pore.body, grid.h, self.margin)
        body = _cube(box, res)
        voxels = int((body.phase == 1).sum())
        if voxels == 0:
            raise InputError(
                f"pore {pore.label} of {image} is too thin for {res}^3 voxels: none "
                "is left",
                mend="raise --res or --smallest",
            )
        # a refined image shows its voxels: the shape is that at the image's own
        own = min(res, round(box.grid.size[0] / max(box.grid.h)))
        shape = BodyShape.measure(_cube(box, own).phase == 1, periodic=False)
        statistics = {
            "image": image,
            "label": pore.label,
            "voxels": int(pore.body.sum()),
            "cut": pore.cut,
            **shape_statistics(shape, own),
            "fraction": voxels / res**3,
        }
        tables = {"stiffness": solid_and_pore(self.E, self.nu), "units": UNITS}
        return GeneratedBody(body.with_changes(**tables), statistics)

    def _window(self, seed: int, res: int) -> GeneratedBody:
        assert self.window is not None
        random = Generator(PCG64(seed))
        if self.blocks is None:
            name, low = self.images[random.integers(len(self.images))][0], (0, 0, 0)
            image = _image(self, name)
            high = image.grid.shape
        else:
            _, name, _, low, high = self.blocks[random.integers(len(self.blocks))]
            image = _image(replace(self, blocks=None), name)
        sides = window_sides(self.window, image.grid)
        room = np.array(high) - np.array(low) - np.array(sides)
        if (room < 0).any():
            raise InputError(
                f"{name}: a window of {size_text(sides)} voxels in an image of "
                f"{size_text(image.grid.shape)}",
                mend="lower the window",
            )
        corner = low + random.integers(room + 1)
        part = tuple(slice(c, c + n) for c, n in zip(corner, sides, strict=True))
        window = image.with_changes(
            grid=Grid(sides, image.grid.h), phase=image.phase[part]
        )
        body = _cube(window, res).check()
        if not all(connected_axes(~np.isin(body.phase, body.pores))):
            raise InputError(
                f"{name}: in windows of {self.window} voxels pores separate the solid",
                mend="widen the window",
            )
        statistics = {
            "image": name,
            **dict(zip("xyz", corner.tolist(), strict=True)),
            "fraction": float(body.fractions[body.pores].sum()),
            "phases": len(body.phases),
        }
        units = {**body.units, "length": UNITS["length"]}
        return GeneratedBody(body.with_changes(units=units), statistics)


def _cube(box: Microstructure, res: int) -> Microstructure:
    """Resample to res^3 voxels of a cube of edge 1."""
    cube = Grid((res, res, res))
    return resample(box, cube.shape).with_changes(grid=cube)


@lru_cache(maxsize=2)
def _pores(recipe: ImagesRecipe) -> list[tuple[str, Grid, Component]]:
    """Image, its grid and a pore, in the order of images' names and of labels."""
    found = []
    for name, sha256 in recipe.images:
        image = _read(recipe, name, sha256)
        empty = np.isin(image.phase, recipe.pore)
        pores = components(empty, recipe.smallest, recipe.connectivity)
        found += [(name, image.grid, pore) for pore in pores]
    whole = [entry for entry in found if not entry[2].cut]
    if not found:
        raise InputError(
            f"{recipe.folder}: no pore of at least {recipe.smallest} voxels in "
            f"{len(recipe.images)} image(s)",
            mend=(
                "check the phase of the pores (now "
                f"{', '.join(map(str, recipe.pore))}), or lower that size"
            ),
        )
    return whole or found


@lru_cache(maxsize=4)
def _image(recipe: ImagesRecipe, name: str) -> Microstructure:
    """An image whose phases have a stiffness."""
    image = _read(recipe, name, dict(recipe.images)[name])
    if recipe.materials:
        materials, sha256 = recipe.materials
        check_unchanged(materials, sha256)
        return read_materials(materials).apply(image)
    if image.stiffness is not None:
        return image
    return image.with_changes(
        phase=np.isin(image.phase, recipe.pore),
        stiffness=solid_and_pore(recipe.E, recipe.nu),
        units=UNITS,
    )


def _read(recipe: ImagesRecipe, name: str, sha256: str) -> Microstructure:
    path = Path(recipe.folder) / name
    check_unchanged(path, sha256)
    return read(
        path,
        dataset=recipe.dataset,
        axes=recipe.axes,
        shape=recipe.shape,
        dtype=recipe.dtype,
        spacing=recipe.spacing,
        threshold=recipe.threshold,
    )
