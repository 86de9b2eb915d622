"""Requests that a server has to refuse, by what is wrong with them."""

import gzip
import io
import json
import pickle
import zlib
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
from served import form

from fftmech import write
from fftmech.microstructure import polycrystal

IDS = np.zeros((4, 4, 4), "i4")
IDS[:2] = 1
VOIGT = np.array([2 * np.eye(6), 3 * np.eye(6)])
XYZ = {"axes": "xyz"}


@cache
def good():
    """A body in VTKHDF that is right."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "good.h5"
        write(path, polycrystal(8, 4, seed=5))
        return path.read_bytes()


def hdf5(make, userblock=0):
    """Bytes of a file that `make` fills."""
    content = io.BytesIO()
    with h5py.File(content, "w", userblock_size=userblock) as file:
        make(file)
    return content.getvalue()


def bare(phase=IDS, attributes=XYZ, stiffness=VOIGT, **tables):
    """Bytes of a bare HDF5 file."""

    def make(file):
        file["phase"] = phase
        file["phase"].attrs.update(attributes)
        for name, table in {"stiffness": stiffness, **tables}.items():
            file[name] = table

    return hdf5(make)


def beside(make, **given):
    """Bytes of a bare file that is right, with more in it."""

    def both(file):
        file["phase"], file["stiffness"] = IDS, VOIGT
        file["phase"].attrs.update(XYZ)
        make(file)

    return hdf5(both, **given)


def instead(make):
    """Bytes of a bare file whose phase is made otherwise."""

    def both(file):
        file["stiffness"] = VOIGT
        make(file)
        if isinstance(file.get("phase"), h5py.Dataset):
            file["phase"].attrs.update(XYZ)

    return hdf5(both)


def typed(dtype, values=None):
    """Bytes of a bare file with a phase of another type."""

    def make(file):
        item = file.create_dataset("phase", (4, 4, 4), dtype)
        if values is not None:
            item[...] = values

    return instead(make)


def stored(shape=(4, 4, 4), dtype="i4", **how):
    """Bytes of a bare file with a phase that is stored otherwise."""
    return instead(lambda file: file.create_dataset("phase", shape, dtype, **how))


def bomb(size, deflated=True):
    """Bytes of a bare file with a chunk that holds too much."""

    def make(file):
        how = {"compression": "gzip"} if deflated else {"shuffle": True}
        item = file.create_dataset("phase", (4, 4, 4), "i4", chunks=(4, 4, 4), **how)
        data = zeros(size) if deflated else bytes(size)
        item.id.write_direct_chunk((0, 0, 0), data)

    return instead(make)


def zeros(size):
    """So many zeros, whole MiB, deflated in no time: one MiB again and again."""
    block = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    part = block.compress(bytes(2**20)) + block.flush(zlib.Z_FULL_FLUSH)
    checksum = (size % 65521 << 16) + 1
    return b"x\x9c" + size // 2**20 * part + b"\x03\x00" + checksum.to_bytes(4)


def virtual(file):
    """A dataset that is a view of another file."""
    layout = h5py.VirtualLayout((4, 4, 4), "i4")
    layout[...] = h5py.VirtualSource("/etc/passwd", "phase", (4, 4, 4))
    file.create_virtual_dataset("phase", layout)


def deep(file):
    """Groups in groups."""
    file.create_group("/".join("a" * 40))


def many(file):
    """Groups beside groups."""
    for k in range(5000):
        file.create_group(f"g{k}")


def attributes(file):
    """Very many of them."""
    for k in range(200):
        file["phase"].attrs[f"a{k}"] = k


def references(file):
    """References in a dataset."""
    item = file.create_dataset("refs", (2,), h5py.ref_dtype)
    item[0] = file["phase"].ref


def texts(file):
    """More texts than anything has."""
    file.create_dataset("texts", (5000,), h5py.string_dtype())


def linked_twice(file):
    """A soft link to an external link."""
    file["out"] = h5py.ExternalLink("/etc/passwd", "/a")
    file["phase"] = h5py.SoftLink("/out")


def vtkhdf(whole, **changes):
    """Bytes of a VTKHDF file whose attributes are changed."""
    content = io.BytesIO(whole)
    with h5py.File(content, "r+") as file:
        for name, value in changes.items():
            file["VTKHDF"].attrs[name] = value
    return content.getvalue()


def without(whole, name):
    """Bytes of a file that lacks something."""
    content = io.BytesIO(whole)
    with h5py.File(content, "r+") as file:
        del file[name]
    return content.getvalue()


def npy(array, **how):
    """Bytes of a NumPy file."""
    content = io.BytesIO()
    np.save(content, array, **how)
    return content.getvalue()


@cache
def posted_bodies():
    """Bodies by name that are posted as they are."""
    whole = good()
    skew = VOIGT.copy()
    skew[1, 0, 1] = 0.5
    complicated = np.dtype([("a", "i4"), ("b", "f8")])
    rng = np.random.default_rng(0)
    return {
        "empty": b"",
        "noise": rng.bytes(5000),
        "text": b"phase = 1\n",
        "json": b'{"phase": [1, 2]}',
        "pickle": pickle.dumps({"phase": IDS}),
        "pickled array": npy(np.array([{}]), allow_pickle=True),
        "array of numpy": npy(IDS),
        "gzipped": gzip.compress(whole),
        "signature alone": whole[:8],
        "signature and noise": whole[:8] + rng.bytes(3000),
        "half": whole[: len(whole) // 2],
        "cut at the end": whole[:-300],
        "head overwritten": whole[:48] + bytes(200) + whole[248:],
        "ones in the head": whole[:16] + b"\xff" * 80 + whole[96:],
        "group table damaged": whole.replace(b"SNOD", b"SNOB"),
        "trees damaged": whole.replace(b"TREE", b"TREF"),
        "user block": beside(lambda file: None, userblock=512),
        "no phase": hdf5(lambda file: file.create_group("a")),
        "phase is a group": instead(lambda file: file.create_group("phase")),
        "phase is a type": instead(
            lambda file: file.__setitem__("phase", np.dtype("i4"))
        ),
        "external link": instead(
            lambda f: f.__setitem__("phase", h5py.ExternalLink("/etc/passwd", "/a"))
        ),
        "external link beside": beside(
            lambda f: f.__setitem__("more", h5py.ExternalLink("other.h5", "/a"))
        ),
        "soft link to nothing": beside(
            lambda f: f.__setitem__("more", h5py.SoftLink("/nothing"))
        ),
        "soft link to itself": beside(
            lambda f: f.__setitem__("more", h5py.SoftLink("/more"))
        ),
        "soft link out": instead(linked_twice),
        "circle of groups": hdf5(
            lambda f: f.create_group("a").__setitem__("b", f["a"])
        ),
        "virtual dataset": instead(virtual),
        "external storage": stored(external=[("/etc/passwd", 0, 256)]),
        "external storage beside": beside(
            lambda f: f.create_dataset("m", (4,), "u1", external=[("/etc/x", 0, 4)])
        ),
        "compound": typed(complicated),
        "array type": typed(np.dtype(("i4", (3,)))),
        "ragged": typed(h5py.vlen_dtype("i4")),
        "opaque": typed(np.dtype("V8")),
        "references": beside(references),
        "region references": beside(
            lambda f: f.create_dataset("r", (2,), h5py.regionref_dtype)
        ),
        "texts of free length": typed(h5py.string_dtype()),
        "texts": typed("S3"),
        "very long texts": typed("S100000"),
        "five thousand texts": beside(texts),
        "complex": typed("c16"),
        "long double": typed(np.longdouble),
        "lzf": stored(compression="lzf"),
        "checksum": stored(fletcher32=True),
        "scale and offset": stored(scaleoffset=4),
        "gigantic": stored((2**20, 2**20, 2**20)),
        "gigantic in chunks": stored((2**20,) * 3, chunks=(8, 8, 8)),
        "gigantic chunk": stored((4, 4, 4), chunks=(512,) * 3, maxshape=(None,) * 3),
        "gigantic and deflated": stored((2**15,) * 3, "u1", compression="gzip"),
        "gigantic beside": beside(lambda f: f.create_dataset("m", (2**40,), "f8")),
        "too many voxels": bare(np.zeros((32, 32, 32), "u1")),
        "thin and too long": bare(np.zeros((1, 1, 70000), "u1")),
        "deflate bomb": bomb(2**27),
        "larger deflate bomb": bomb(2**28),
        "small deflate bomb": bomb(2**20),
        "stored bomb": bomb(2**20, deflated=False),
        "not deflated": instead(
            lambda f: f.create_dataset(
                "phase", (4, 4, 4), "i4", chunks=(4, 4, 4), compression="gzip"
            ).id.write_direct_chunk((0, 0, 0), b"noise" * 9)
        ),
        "forty groups deep": beside(deep),
        "five thousand groups": beside(many),
        "two hundred attributes": beside(attributes),
        "large attribute": beside(
            lambda f: (
                f["phase"].attrs.create("a", np.zeros(7000))
                or [
                    f["phase"].attrs.create(f"b{k}", np.zeros(8000)) for k in range(130)
                ]
            )
        ),
        "compound attribute": bare(attributes={**XYZ, "a": np.zeros(2, complicated)}),
        "reference as attribute": beside(
            lambda f: f["phase"].attrs.__setitem__("a", f.ref)
        ),
        "1-D": bare(IDS[0, 0]),
        "4-D": bare(IDS[None]),
        "6-D": bare(IDS[None, None, None]),
        "no voxel": bare(IDS[:0]),
        "null": bare(h5py.Empty("i4")),
        "a number": bare(np.int32(1)),
        "NaN": bare(np.where(IDS, np.nan, 0)),
        "infinite": bare(np.where(IDS, np.inf, 0)),
        "negative ids": bare(-IDS),
        "fractions": bare(IDS / 2),
        "huge ids": bare(IDS.astype("u8") << 40),
        "largest ids": bare(np.where(IDS, np.uint64(2**64 - 1), np.uint64(0))),
        "no axes": bare(attributes={}),
        "other axes": bare(attributes={"axes": "abc"}),
        "axes of numbers": bare(attributes={"axes": np.arange(3)}),
        "negative spacing": bare(attributes={**XYZ, "spacing": [1.0, -1.0, 1.0]}),
        "spacing NaN": bare(attributes={**XYZ, "spacing": [1.0, np.nan, 1.0]}),
        "two spacings": bare(attributes={**XYZ, "spacing": [1.0, 1.0]}),
        "unequal spacing": bare(attributes={**XYZ, "spacing": [1.0, 2.0, 1.0]}),
        "stiffness NaN": bare(stiffness=np.where(np.eye(6), np.nan, VOIGT)),
        "stiffness infinite": bare(stiffness=np.where(np.eye(6), np.inf, VOIGT)),
        "stiffness skew": bare(stiffness=skew),
        "stiffness negative": bare(stiffness=-VOIGT),
        "stiffness enormous": bare(stiffness=VOIGT * 1e300),
        "stiffness of texts": bare(stiffness=VOIGT.astype("S4")),
        "stiffness 3x3": bare(stiffness=VOIGT[:, :3, :3]),
        "stiffness of one": bare(stiffness=VOIGT[:1]),
        "no stiffness": hdf5(
            lambda f: f.create_dataset("phase", data=IDS).attrs.update(XYZ)
        ),
        "pores alone": bare(stiffness=0 * VOIGT),
        "orientation of zero": bare(orientation=np.zeros((2, 4))),
        "orientation 3": bare(orientation=np.zeros((2, 3))),
        "eigenstrain": bare(eigenstrain=np.ones((2, 6))),
        "other kind of VTKHDF": vtkhdf(whole, Type=np.bytes_("PolyData")),
        "extent too large": vtkhdf(whole, WholeExtent=[0, 2**30] * 3),
        "extent negative": vtkhdf(whole, WholeExtent=[8, 0] * 3),
        "extent of texts": vtkhdf(whole, WholeExtent=np.bytes_("0 8 0 8 0 8")),
        "extent NaN": vtkhdf(whole, WholeExtent=[np.nan] * 6),
        "spacing of zero": vtkhdf(whole, Spacing=[0.0, 0.0, 0.0]),
        "rotated": vtkhdf(whole, Direction=[0.0, 1, 0, 1, 0, 0, 0, 0, 1]),
        "no cell data": without(whole, "VTKHDF/CellData"),
        "no tables": without(whole, "fftmech"),
    }


@cache
def forms():
    """Bodies and headers of forms, by name."""
    whole = good()
    tall = (
        b"\x93NUMPY\x01\x00v\x00"
        + (
            b"{'descr': '|u1', 'fortran_order': False, 'shape': (9999, 9999, 9999), }"
        ).ljust(117)
        + b"\n"
    )
    entities = b"<!ENTITY a0 'aaaaaaaaaa'>" + b"".join(
        f"<!ENTITY a{k} '{f'&a{k - 1};' * 10}'>".encode() for k in range(1, 12)
    )
    made = {
        "name without extension": ("body", whole),
        "name of a path": ("../../../../etc/passwd", whole),
        "name with zeros": ("a.h5\x00.txt", whole),
        "long name": ("a" * 3000, whole),
        "program": ("a.py", b"import os"),
        "pickled npy": ("a.npy", npy(np.array([{}]), allow_pickle=True)),
        "gigantic npy": ("a.npy", tall),
        "npy of NaN": ("a.npy", npy(np.full((4, 4, 4), np.nan))),
        "complex npy": ("a.npy", npy(np.zeros((4, 4, 4), complex))),
        "npy without materials": ("a.npy", npy(IDS)),
        "npy too large": ("a.npy", npy(np.zeros((40, 40, 40), "u1"))),
        "raw without shape": ("a.raw", bytes(64)),
        "noise as tif": ("a.tif", b"II*\x00" + b"\xff" * 300),
        "noise as vti": ("a.vti", bytes(range(256))),
        "entities in vti": (
            "a.vti",
            b"<!DOCTYPE V [" + entities + b"]><VTKFile>&a11;</VTKFile>",
        ),
        "noise as tesr": ("a.tesr", b"***tesr\n **general\n 3\n 9 9 999999999999"),
        "noise as dream3d": ("a.dream3d", b"noise" * 99),
        "hdf5 as npy": ("a.npy", whole),
    }
    found = {name: form(*given) for name, given in made.items()}
    bomb = gzip.compress(bytes(2**25), 1)
    reading = {
        "raw of another size": (bytes(9), {"shape": [4, 4, 4], "dtype": "uint8"}),
        "raw of objects": (bytes(64), {"shape": [2, 2, 2], "dtype": "O"}),
        "raw gigantic": (bytes(64), {"shape": [99999] * 3, "dtype": "u1"}),
        "raw negative": (bytes(64), {"shape": [-4, -4, 4], "dtype": "u1"}),
    }
    for name, (content, options) in reading.items():
        found[name] = form("a.raw", content, options=json.dumps(options))
    found["gzip bomb"] = form(
        "a.raw.gz", bomb, options='{"shape": [4, 4, 4], "dtype": "u1"}'
    )
    for name, fields in {
        "another field": {"path": "/etc/passwd"},
        "options no JSON": {"options": "{"},
        "options a list": {"options": "[1]"},
        "options NaN": {"options": '{"strain": {"xx": NaN}}'},
        "options nested": {"options": "[" * 5000},
        "options unknown": {"options": '{"output": "/etc/passwd"}'},
        "options of a wrong type": {"options": '{"res": {"a": 1}}'},
        "load of texts": {"options": '{"strain": {"xx": "abc"}}'},
        "load of truth": {"options": '{"strain": {"xx": true}}'},
        "load enormous": {"options": '{"strain": {"xx": 1e999}}'},
        "materials noise": {"materials": "\x01\x02"},
        "materials NaN": {
            "materials": "[default]\nisotropic = { E = nan, nu = 0.3 }\n"
        },
        "materials with a path": {"materials": 'include = "/etc/passwd"\n'},
    }.items():
        found[name] = form("a.h5", whole, **fields)
    two = form("a.h5", whole)[0]
    head = form("a.h5", whole)[1]
    found["two files"] = (two.replace(b"--EDGE--\r\n", b"") + two, head)
    found["no file"] = (
        b'--EDGE\r\nContent-Disposition: form-data; name="options"\r\n\r\n{}\r\n'
        b"--EDGE--\r\n",
        head,
    )
    found["no edge"] = (two, {"Content-Type": "multipart/form-data"})
    found["another edge"] = (two.replace(b"EDGE", b"HEDGE"), head)
    found["cut"] = (two[: len(two) // 2], head)
    return found


def queries():
    """Queries by name, of a body that is right."""
    return {
        "unknown option": "colour=red",
        "output": "output=/etc/passwd",
        "option twice": "model=smoke&model=smoke",
        "no component": "strain=1e-3",
        "component qq": "strain=qq=1e-3",
        "component twice": "strain=xx=1e-3&strain=xx=1e-3",
        "strain NaN": "strain=xx=nan",
        "strain infinite": "strain=xx=inf",
        "strain of zero": "strain=xx=0",
        "strain and stress": "strain=xx=1e-3&stress=xx=1",
        "two loads": "uniaxial=xx=1e-3&strain=yy=1e-3",
        "model with a path": "model=../../etc",
        "no model": "model=",
        "resolution too fine": "res=100000",
        "resolution of zero": "res=0",
        "resolution negative": "res=-4",
        "resolution of four": "res=4,4,4,4",
        "wait negative": "wait=-1",
        "wait NaN": "wait=nan",
        "wait long": "wait=1e9",
        "number of many digits": "tolerance=" + "9" * 5000,
        "digits of another script": "max_iterations=%D9%A1e3",
    }
