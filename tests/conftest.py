"""Lists that every law is tested over, and small bodies to test it on."""

import gc
import os
import re
import signal
import zlib
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock, Timeout
from numba.core.caching import FunctionCache

from fftmech import SCHEMES, SOLVERS, Grid, Load, Microstructure
from fftmech.arrays.backend import cpu_backend
from fftmech.kernels import has_kernels
from fftmech.kernels.points import PointKernels
from fftmech.materials import PORE, cubic, isotropic
from fftmech.problems.linear import Problem
from fftmech.tensors import matrix_from_quaternion, rotate_stiffness

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

ONE_POINT = [name for name, scheme in SCHEMES.items() if scheme.points == 1]

ALL_SCHEMES = [
    pytest.param(name, marks=pytest.mark.slow) if name == "central" else name
    for name in SCHEMES
]
"""`central` is of one code with `forward`: what holds for all is slow with it."""

PAIRED = [
    pytest.param(scheme, "cg", marks=[pytest.mark.slow] * (scheme == "central"))
    for scheme in SCHEMES
]
PAIRED += [("rotated", solver) for solver in SOLVERS if solver != "cg"]
"""Every scheme with one solver, every solver in one scheme: neither sees the other."""

SHAPES = [(4, 6, 8), (5, 3, 7), (4, 5, 1), (1, 6, 1)]
"""Even, odd, 2-D and 1-D grids."""


SERVED = "served|hostile_bodies|ecosurrogate.server.app"
EXTRAS = {
    "torch": "torch|ecosurrogate|small_runs",
    **dict.fromkeys(("fastapi", "uvicorn", "python_multipart"), SERVED),
    **{name: name for name in ("matplotlib", "optuna")},
}
"""Packages that may be missing; files of tests that import these modules need them."""

MISSING = {name: EXTRAS[name] for name in EXTRAS if find_spec(name) is None}


def pytest_report_header():
    """Say what is left out."""
    return [f"no {name}: files of tests that need it are left out" for name in MISSING]


def pytest_ignore_collect(collection_path):
    """Leave out a file of tests that needs a package which is missing."""
    if MISSING and collection_path.suffix == ".py":
        needed = rf"^(import|from) ({'|'.join(MISSING.values())})\b"
        text = collection_path.read_text(encoding="utf-8")
        return bool(re.search(needed, text, re.MULTILINE)) or None
    return None


def pytest_configure():
    """Let programs that tests begin be interrupted.

    Shells have what runs in their background ignore SIGINT, which children inherit.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # what modules and tests are made of stays: not looked through for garbage
    gc.disable()


def pytest_collection_finish():
    """Look for garbage again, among what tests make."""
    gc.freeze()
    gc.enable()


def pytest_generate_tests(metafunc):
    """Run a test that names `scheme`, `solver`, `shape`, `kernels` over all of them."""
    own = [str(m.args[0]) for m in metafunc.definition.iter_markers("parametrize")]
    named = {n for n in metafunc.fixturenames if not any(n in names for names in own)}
    if named >= {"scheme", "solver"}:
        metafunc.parametrize(("scheme", "solver"), PAIRED)
        named -= {"scheme", "solver"}
    for name, values in (
        ("scheme", ALL_SCHEMES),
        ("one_point_scheme", ONE_POINT),
        ("solver", list(SOLVERS)),
        ("shape", SHAPES),
    ):
        if name in named:
            metafunc.parametrize(name, values, ids=str)
    if "kernels" in metafunc.fixturenames:
        reference = pytest.param("reference", marks=pytest.mark.slow)
        metafunc.parametrize("kernels", ["kernels", reference], indirect=True)


def pytest_collection_modifyitems(items):
    """Drop the reference code but for one scheme of each kind, solved by cg.

    `test_kernels.py` holds the kernels of all to it.
    """
    items[:] = [item for item in items if not _is_superfluous(item)]


def _is_superfluous(item):
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    if parameters.get("kernels") != "reference":
        return False
    of_a_kind = parameters.get("scheme") in ("rotated", "hex8", "fourier")
    slow = any(mark.name == "slow" for mark in getattr(item.function, "pytestmark", []))
    return not of_a_kind or parameters.get("solver", "cg") != "cg" or slow


@pytest.fixture(scope="session", autouse=True)
def compile_once(tmp_path_factory):
    """Have processes of pytest-xdist compile different kernels, at the same time.

    Each begins at another one of those that many tests need, and waits for what another
    one compiles.
    """
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if count == 1:
        yield
        return
    number = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
    body, load = sphere(2, SOFT, STIFF), Load(strain={"xx": 1.0})
    served = [s for s in SCHEMES.values() if has_kernels(s) and s.name != "central"]
    kernels = [Problem(body, load, s, cpu_backend(1)).kernels for s in served]
    kernels.insert(2, PointKernels(served[0], body.grid, True, 1))
    first = number * len(kernels) // count
    with pytest.MonkeyPatch.context() as patch:
        let_others_compile(patch, tmp_path_factory.getbasetemp().parent)
        for some in kernels[first:] + kernels[:first]:
            for precision in (np.float64, np.float32):
                some.prepare(precision, np.float32)
        yield


def let_others_compile(patch, folder):
    """Have a kernel that another process compiles loaded when that is done."""
    load, save, held = FunctionCache.load_overload, FunctionCache.save_overload, {}

    def load_or_wait(cache, signature, context):
        found = load(cache, signature, context)
        if found is None:
            name = f"{cache._cache_file._index_path}{signature}"
            lock = FileLock(folder / f"{zlib.crc32(name.encode())}.lock", timeout=120)
            # whoever holds it may be slow, or have failed: then it is compiled twice
            with suppress(Timeout):
                lock.acquire()
            found = load(cache, signature, context)
            if found is None:
                held[cache, signature] = lock
            else:
                lock.release()
        return found

    def save_and_release(cache, signature, compiled):
        with FileLock(folder / "index.lock"):
            save(cache, signature, compiled)
        held.pop((cache, signature)).release()

    patch.setattr(FunctionCache, "load_overload", load_or_wait)
    patch.setattr(FunctionCache, "save_overload", save_and_release)


@pytest.fixture
def rng():
    return np.random.default_rng(20)


@pytest.fixture
def kernels(request, monkeypatch):
    """Whether bodies have compiled kernels: laws hold with them and without."""
    if request.param == "reference":
        monkeypatch.setattr("fftmech.problems.linear.get_kernels", lambda *body: None)
    return request.param


@pytest.fixture
def data():
    """Folder of real inputs; the test is skipped where it is absent."""
    if not DATA.is_dir():
        pytest.skip("no folder shared/data beside the repository")
    return DATA


@pytest.fixture
def cases(data):
    """Folder of small files of kinds that were read wrongly."""
    folder = data.parent / "cases"
    if not folder.is_dir():
        pytest.skip("no folder shared/cases beside the repository")
    return folder


def sphere(n, matrix, inclusion, radius=0.3):
    """Centred sphere in a unit cube of n^3 voxels."""
    grid = Grid((n, n, n))
    x, y, z = grid.centers()
    phase = (x - 0.5) ** 2 + (y - 0.5) ** 2 + (z - 0.5) ** 2 < radius**2
    return Microstructure(grid, phase, np.array([matrix, inclusion]))


def grains(shape, count=5, seed=3, crystal=None):
    """Random voxels of `count` randomly oriented cubic crystals."""
    rng = np.random.default_rng(seed)
    crystal = cubic(C11=204.6, C12=137.7, C44=126.2) if crystal is None else crystal
    q = rng.normal(size=(count, 4))
    q /= np.linalg.norm(q, axis=1)[:, None]
    C = rotate_stiffness(crystal, matrix_from_quaternion(q))
    return Microstructure(Grid(shape), rng.integers(0, count, shape), C, q)


SOFT = isotropic(E=1.0, nu=0.3)
STIFF = isotropic(E=10.0, nu=0.2)
EMPTY = PORE


def made_once(tmp_path_factory, name, line):
    """Folder of a dataset that the first process of pytest-xdist makes for all."""
    pytest.importorskip("torch")
    from small_runs import make_dataset

    folder = tmp_path_factory.getbasetemp() / name
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = tmp_path_factory.getbasetemp().parent / name
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            make_dataset(f"{line} -o {folder}")
    return folder


@pytest.fixture(scope="session")
def grains8(tmp_path_factory):
    """A dataset of eight polycrystals for models to learn; only to be read."""
    from small_runs import GRAINS

    return made_once(tmp_path_factory, "grains", GRAINS)


@pytest.fixture(scope="session")
def pores8(tmp_path_factory):
    """A dataset of eight bodies with pores for models to learn; only to be read."""
    from small_runs import PORES

    return made_once(tmp_path_factory, "pores", PORES)


@pytest.fixture(scope="module")
def one_thread():
    """On small grids more of them wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def served_folder(tmp_path_factory, grains8):
    """Trained models and bodies, `served.trained`; only to be read."""
    from served import trained

    return trained(tmp_path_factory, grains8)


@pytest.fixture(scope="session")
def shared_server(served_folder):
    """A server of these models; whoever begins jobs there removes them."""
    from served import MODELS, Served

    with Served({name: served_folder / name for name in MODELS}) as served:
        yield served


@pytest.fixture(scope="module")
def no_curves():
    """Runs draw no picture, which would take longer than to train them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ecosurrogate.training.log.Log.draw", lambda *_, **__: None)
        yield


@pytest.fixture(scope="module", autouse=True)
def idle():
    """No other work has the processors, whatever else this machine does."""
    with pytest.MonkeyPatch.context() as patch:
        crowding = "fftmech.arrays.crowding.crowding"
        patch.setattr(crowding, lambda threads=1: 1.0)
        yield
