"""FANS microstructures: one 3-D integer dataset somewhere in an HDF5 file.

The dataset's attribute `permute_order` says which index is which, "xyz" or "zyx"
(where absent: "zyx", as FANS itself takes it); an attribute `L` holds the edge lengths
of the box. An attribute `axes` serves as `permute_order` does.
"""

from collections.abc import Sequence
from os import PathLike

import h5py

from fftmech.errors import InputError
from fftmech.io import container, image
from fftmech.io.hdf5 import lengths
from fftmech.microstructure.base import Microstructure

OPTIONS = ("dataset", *image.OPTIONS)
USED = ("one 3-D dataset of ids", "attributes permute_order (or axes) and L")
IGNORED = ("other datasets",)


def recognises(_file: h5py.File, _dataset: str | None) -> bool:
    """Whether the file may hold a bare 3-D dataset: any HDF5 file may."""
    return True


def read(
    path: str | PathLike,
    dataset: str | None = None,
    axes: str | None = None,
    spacing: Sequence[float] | None = None,
    threshold: float | None = None,
    crop: Sequence[int] | None = None,
) -> Microstructure:
    """Read a 3-D dataset of phase ids (or of grey values, with a threshold)."""
    with container.opened(path) as file:
        notes = []
        if dataset is not None:
            item = container.dataset(file, dataset)
        else:
            item, others = _only(file)
            if others:
                more = f" and {len(others) - 3} more" if len(others) > 3 else ""
                listed = ", ".join(str(d.name) for d in others[:3])
                notes.append(
                    f"phase ids are those of {item.name}: {listed}{more} are not used"
                )
        name = container.where(item)
        if axes is None:
            order = item.attrs.get("permute_order", item.attrs.get("axes"))
            axes = "zyx" if order is None else container.text(order)
            if order is None and item.ndim == 3:
                notes.append(image.axes_note("zyx", item.shape))
        image.check_axes(axes, name)
        if spacing is None and item.ndim == 3:
            box = lengths(item, "L")
            if box is not None:
                shape = item.shape if axes == "xyz" else item.shape[::-1]
                spacing = [edge / max(n, 1) for edge, n in zip(box, shape, strict=True)]
        given = {"threshold": threshold, "crop": crop, "notes": notes}
        return image.microstructure_from_image(item, name, axes, spacing, **given)


def _only(file: h5py.File) -> tuple[h5py.Dataset, list[h5py.Dataset]]:
    """The one dataset that may be phase ids, and the others of the file."""
    found = container.datasets(file)
    if "cell_to" in file:
        raise InputError(
            f"{file.filename}: a result of DAMASK", "its grid (.vti) and material.yaml"
        )
    if any("/EBSD/" in str(d.name) for d in found):
        raise InputError(
            f"{file.filename}: an EBSD scan in HDF5",
            "one of Oxford Instruments (.h5oina)",
            "export it as .ang or .ctf",
        )
    fitting = [d for d in found if d.ndim == 3 and d.dtype.kind in "biu"]
    if len(fitting) == 1:
        return fitting[0], [d for d in found if d != fitting[0]]
    if fitting:
        raise InputError(
            f"{file.filename}: {len(fitting)} 3-D integer datasets "
            f"({container.listing(fitting)})",
            mend="say which with --dataset",
        )
    raise InputError(
        f"{file.filename}: no 3-D integer dataset of phase ids; it has "
        f"{container.listing(found)}",
        mend=(
            "store the ids as whole numbers on three axes, or name a grey image with "
            "--dataset and --threshold"
        ),
    )
