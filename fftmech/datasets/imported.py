"""Recipe `imported`: bodies and fields that another program computed."""

import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from glob import glob
from hashlib import sha256
from itertools import groupby
from math import nan
from os import PathLike, fspath
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from fftmech.datasets.card import Card
from fftmech.datasets.image_files import File, check_unchanged, sha256_of
from fftmech.datasets.import_checks import (
    StoredFields,
    check_directions,
    check_law,
    check_means,
    divergences,
)
from fftmech.datasets.import_files import MappedFile, mapped_file
from fftmech.datasets.import_lawless import UNCHECKED, admissibility, check_conventions
from fftmech.datasets.mapping import STRAIN_UNITS, FieldMapping
from fftmech.datasets.recipe import UNITS, GeneratedBody, Recipe
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.io.materials import read_materials
from fftmech.io.materials_table import PRESSURES, conversion
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.results.result import Result
from fftmech.results.sample import OTHER_PROGRAM

DIRECTED = 3
"""Samples whose order of shear components and axes are tried: all are written alike."""


class ImportedSample(NamedTuple):
    """A body, its strain and stress, Mandel (6, x, y, z), and what checks found."""

    body: Microstructure
    strain: np.ndarray
    stress: np.ndarray
    found: dict[str, float]


UNPLACED = "whether they lie as the phases do was not checked of images:"
"""Note on scalar images, before their names."""


@dataclass(frozen=True)
class ImportedRecipe(Recipe):
    """Samples from the files that a mapping names, one each, by name.

    Parameters
    ----------
    folder
        Folder of the mapping file; other names are relative to it.
    mapping
        What the mapping file states, as JSON text.
    files
        A file, or a folder of .npy files, a sample, with the SHA-256 of its content.
    materials
        Materials file of all samples, with its SHA-256.
    """

    kind: ClassVar[str] = "imported"
    may_fail: ClassVar[bool] = False
    solved: ClassVar[bool] = False
    load: ClassVar[Load] = Load.uniaxial("zz", 1e-3)

    folder: str
    mapping: str
    files: tuple[File, ...]
    materials: File | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "files", tuple(tuple(file) for file in self.files))
        if self.materials is not None:
            object.__setattr__(self, "materials", tuple(self.materials))

    @classmethod
    def from_mapping(cls, path: str | PathLike) -> "ImportedRecipe":
        """Recipe of the files that a mapping file names."""
        stated, folder = FieldMapping.read(path), Path(path).parent
        names = sorted(
            glob(stated.files, root_dir=folder, recursive=True),
            # 2 before 10
            key=_natural,
        )
        if not names:
            raise InputError(
                f"{path}: files = {stated.files!r}",
                "a file at least",
                f"see {folder.absolute()}",
            )
        files = tuple((name, _digest(folder / name, stated)) for name in names)
        first = {digest: name for name, digest in reversed(files)}
        for name, digest in files:
            if first[digest] != name:
                raise InputError(
                    f"{path}: {first[digest]} and {name} are the same, which would be "
                    "in several splits",
                    mend="remove one",
                )
        materials = None
        if stated.materials is not None:
            materials = stated.materials, sha256_of(folder / stated.materials)
        text = json.dumps(stated.document, sort_keys=True)
        return cls(fspath(folder), text, files, materials)

    @cached_property
    def stated(self) -> FieldMapping:
        """What the mapping file states."""
        return FieldMapping.from_document(json.loads(self.mapping))

    @cached_property
    def unit(self) -> str:
        """Unit of stress of the samples: that of the stiffness, if there is one."""
        if self.stated.lawless:
            return self.stated.stress.unit
        if self.stated.stiffness is not None:
            return self.stated.stiffness[3]
        assert self.materials is not None
        units = read_materials(Path(self.folder) / self.materials[0]).units
        if units.get("stress") not in PRESSURES:
            raise InputError(
                f"{self.materials[0]}: units {units.get('stress')!r}",
                f"one of {', '.join(PRESSURES)}",
                'state units = "GPa", for instance',
            )
        return units["stress"]

    @property
    def units(self) -> dict[str, str]:
        """Units of the samples."""
        units = {name: image.unit for name, image in self.stated.images.items()}
        return {**UNITS, "stress": self.unit, **units}

    @property
    def stress_factor(self) -> float:
        """Stress in `unit` of one in the unit of the files."""
        factor = conversion(self.stated.stress.unit, self.unit)
        assert factor is not None
        return factor

    @property
    def stated_load(self) -> Load:
        """The load, its stresses in `unit`."""
        load = self.stated.load
        stress = {k: s * self.stress_factor for k, s in load.stress.items()}
        return Load(load.strain, stress)

    @property
    def unchecked(self) -> tuple[str, ...]:
        """What nobody checked of the samples, a line each."""
        law = (UNCHECKED,) if self.stated.lawless else ()
        names = ", ".join(self.stated.images)
        return (*law, f"{UNPLACED} {names}") if names else law

    def available(self) -> int | None:
        """Number of files."""
        return len(self.files)

    def draw(self, seed: int, index: int, res: int) -> GeneratedBody:
        """Read body `index`, `res` voxels an edge, once its fields pass all checks.

        Statistics are what the checks found (`fftmech.datasets.import_checks`).
        """
        sample = self.read(index)
        if sample.body.grid.shape != (res,) * 3:
            raise self._at(
                index,
                InputError(
                    f"{sample.body.grid.shape[0]}^3 voxels, the first file has {res}^3",
                    mend="import each size into a dataset of its own",
                ),
            )
        return GeneratedBody(sample.body, dict(sample.found))

    def given(self, index: int) -> dict[str, Result]:
        """The fields of body `index` by name of the load, as results."""
        body, strain, stress, found = self.read(index)
        # of another law half of strain : stress is no energy
        energy = float((strain * stress).sum(axis=0).mean()) / 2
        energy = nan if self.stated.lawless else energy
        limits = self.stated.limits
        result = Result(
            microstructure=body,
            load=self.stated_load,
            scheme=self.stated.scheme,
            solver=OTHER_PROGRAM,
            tolerance=max(limits.values()),
            displacement=None,  # pyright: ignore[reportArgumentType]
            strain=strain,
            stress=stress,
            energy_density=None,  # pyright: ignore[reportArgumentType]
            mean_strain=strain.mean(axis=(1, 2, 3)),
            mean_stress=stress.mean(axis=(1, 2, 3)),
            energy=energy,
            status="converged",
            advice="",
            iterations=0,
            residuals=[found["divergence"]],
        )
        return {"": result}

    def read(self, index: int) -> ImportedSample:
        """Read and check a sample; what is wrong is an InputError that names it."""
        if index >= len(self.files):
            raise InputError(f"sample {index + 1} of {len(self.files)} files")
        path = Path(self.folder) / self.files[index][0]
        check_unchanged(path, self.files[index][1], _digest(path, self.stated))
        try:
            return _read(self, index)
        except InputError as error:
            raise self._at(index, error) from error

    def _at(self, index: int, error: InputError) -> InputError:
        name = self.files[index][0]
        return error if name in error.what else error.within(name)

    def _read(self, index: int) -> ImportedSample:
        stated, path = self.stated, Path(self.folder) / self.files[index][0]
        with mapped_file(path, stated) as file:
            strain, stress = file.tensor(stated.strain), file.tensor(stated.stress)
            body = self._body(file)
            body = body.with_changes(images=file.images())
        shape = body.grid.shape
        for name, field in (("strain", strain), ("stress", stress)):
            if field.shape[-3:] != shape:
                raise InputError(
                    f"{name} on {field.shape[-3:]} voxels, phase on {shape}",
                    "equal grids",
                )
            if not np.isfinite(field).all():
                more = " (in pores too)" if body.pores.size else ""
                raise InputError(f"{name} is not finite everywhere", f"numbers{more}")
        stored = StoredFields(
            body,
            strain * STRAIN_UNITS[stated.strain.unit],
            stress * self.stress_factor,
        )
        return self._checked(stored, index < DIRECTED)

    def _checked(self, stored: StoredFields, first: bool) -> ImportedSample:
        stated, body = self.stated, stored.body
        strain = stated.strain.convention.mandel(stored.strain)
        stress = stated.stress.convention.mandel(stored.stress)
        if stated.lawless:
            return self._checked_without_law(stored, strain, stress, first)
        law = check_law(stored, stated, strain, stress)
        if first:
            note = check_directions(stored, stated.stress.convention, stress)
            body = body.noted(note) if note else body
        load, limit = self.stated_load, stated.limits["mean"]
        found = {
            "law_error": law,
            "mean_error": check_means(body, load, strain, stress, limit),
            **divergences(body, stated.scheme, stress, strain.mean(axis=(1, 2, 3))),
        }
        return ImportedSample(body, strain, stress, found)

    def _checked_without_law(
        self, stored: StoredFields, strain: np.ndarray, stress: np.ndarray, first: bool
    ) -> ImportedSample:
        stated, body = self.stated, stored.body
        if first:
            notes = check_conventions(stored, stated, strain, stress)
            body = body.noted(*notes) if notes else body
        load, limit = self.stated_load, stated.limits["mean"]
        found = {
            "mean_error": check_means(body, load, strain, stress, limit),
            **admissibility(body, stated.scheme, strain, stress),
        }
        return ImportedSample(body, strain, stress, found)

    def _body(self, file: MappedFile) -> Microstructure:
        phase = file.phase()
        body = Microstructure(Grid(phase.shape), phase, units=self.units)
        if self.stated.lawless:
            if self.stated.orientation is None:
                return body
            return body.with_changes(orientation=file.orientation(phase.max()))
        if self.materials is None:
            return body.with_changes(stiffness=file.stiffness(phase.max())).check()
        name, digest = self.materials
        check_unchanged(Path(self.folder) / name, digest)
        made = read_materials(Path(self.folder) / name).apply(body)
        made.check().check_linear("models and their certificates")
        if made.eigenstrain is not None and made.eigenstrain.any():
            raise InputError(
                f"{name}: the body has eigenstrain, which models do not see",
                mend="leave it out",
            )
        return made.with_changes(units=self.units)


def stated_by(card: Card) -> FieldMapping | None:
    """What the mapping of imported fields states, None of a dataset of another kind."""
    if card.kind != ImportedRecipe.kind:
        return None
    return FieldMapping.from_document(json.loads(card.parameters["mapping"]))


@lru_cache(2)
def _read(recipe: ImportedRecipe, index: int) -> ImportedSample:
    return recipe._read(index)


def _digest(path: Path, stated: FieldMapping) -> str:
    """SHA-256 of a file, or of the files of a folder that are read."""
    if not path.is_dir():
        return sha256_of(path)
    names = sorted({str(name) for name in stated.names})
    parts = [f"{name} {sha256_of(path / name)}" for name in names]
    return sha256("\n".join(parts).encode()).hexdigest()


def _natural(name: str) -> list[tuple[int, str]]:
    """Key that sorts 2 before 10."""
    runs = ["".join(run) for _, run in groupby(name, str.isdecimal)]
    return [(int(run), "") if run.isdecimal() else (-1, run) for run in runs]
