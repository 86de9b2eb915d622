"""CUDA sources that compile, and calls that CuPy has, tested without a GPU.

NVRTC is the compiler that CuPy uses; its wheel needs no driver.
"""

import ast
import ctypes
import ctypes.util
import importlib.util
import inspect
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from cuda_on_host import install
from device_array import CONSTANTS, FUNCTIONS, METHODS, PROPERTIES, RUNTIME

import fftmech
from fftmech import SCHEMES
from fftmech.discretization.grid import Grid
from fftmech.kernels.gpu import GpuKernels
from fftmech.kernels.tables import Frame

SERVED = ["rotated", "hex8", "bbar", "forward"]
PRECISIONS = [
    (np.float64, np.float32),
    (np.float64, np.float64),
    (np.float32, np.float32),
]
"""Of a solution and its search directions."""

ARCHITECTURES = [
    pytest.param("sm_75", marks=pytest.mark.slow),
    pytest.param("sm_80", marks=pytest.mark.slow),
    "sm_90",
]

SOURCES = Path(fftmech.__file__).parent

OWN_OPTIONS = ("-ftz=true", "--device-as-default-execution-space")
"""What CuPy adds to the options of every source."""

TORCH_ONLY = {"cat"}


@cache
def nvrtc():
    """NVRTC of NVIDIA's wheel or of the machine; None if there is none."""
    spec = importlib.util.find_spec("nvidia")
    folders = spec.submodule_search_locations if spec else []
    found = [p for f in folders for p in Path(f).glob("*/lib/libnvrtc.so.*")]
    name = next(iter(sorted(found)), None) or ctypes.util.find_library("nvrtc")
    return ctypes.CDLL(str(name)) if name else None


needs_nvrtc = pytest.mark.skipif(
    nvrtc() is None, reason="no NVRTC: pip install nvidia-cuda-nvrtc-cu12"
)


def compiled(code, options):
    """Exit code and log of NVRTC."""
    library, program, size = nvrtc(), ctypes.c_void_p(), ctypes.c_size_t()
    name, text = b"kernels.cu", code.encode()
    library.nvrtcCreateProgram(ctypes.byref(program), text, name, 0, None, None)
    flags = (ctypes.c_char_p * len(options))(*[o.encode() for o in options])
    failed = library.nvrtcCompileProgram(program, len(options), flags)
    library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    library.nvrtcGetProgramLog(program, log)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    return failed, log.value.decode()


@pytest.fixture
def modules(monkeypatch):
    """Sources with options, and the names of their kernels, of all kinds of solves."""
    found = {}

    class Source:
        def __init__(self, *, code, options):
            self.names = found.setdefault((code, options), set())

        def get_function(self, name):
            self.names.add(name)
            return lambda grid, block, args: None

    cupy = install(monkeypatch)
    monkeypatch.setattr(cupy, "RawModule", Source)
    body = np.zeros((2, 2, 2), int), np.eye(6)[None], None, (1.0, 1.0)
    for scheme in SERVED:
        for types in PRECISIONS:
            frame = Frame.of(SCHEMES[scheme], Grid((2, 2, 2)))
            GpuKernels(frame, *body, cupy).prepare(*types)
    return found


@needs_nvrtc
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_sources_compile_without_a_warning_and_without_spills(modules, architecture):
    sources = {code for code, _ in modules}
    for file in (SOURCES / "kernels").glob("*.cu"):
        assert any(file.read_text("utf-8") in code for code in sources), file.name
    for (code, options), names in modules.items():
        flags = (*options, *OWN_OPTIONS, f"-arch={architecture}", "--ptxas-options=-v")
        failed, log = compiled(code, flags)
        assert not failed, log
        entries = set(re.findall(r"Compiling entry function '(\w+)'", log))
        assert names <= entries and names, options
        # registers hold what a thread works with
        kept = log.count(", 0 bytes spill stores, 0 bytes spill loads")
        assert kept == len(entries), (options, log)
        others = [line for line in log.splitlines() if line.strip()]
        assert all(re.match(r"ptxas (info| +\.) ", line) for line in others), log


@needs_nvrtc
def test_the_compiler_finds_what_is_wrong():
    failed, log = compiled("__global__ void wrong(int i) { j = i; }", ("-arch=sm_80",))
    assert failed and '"j" is undefined' in log


def calls():
    """Dotted names that sources take from `xp`, with the keywords of their calls."""
    for file in SOURCES.rglob("*.py"):
        tree = ast.parse(file.read_text("utf-8"))
        called = {
            id(node.func): {k.arg for k in node.keywords}
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute):
                continue
            name = re.fullmatch(r"(?:.*\.)?_?xp\.([a-zA-Z0-9_.]+)", ast.unparse(node))
            if name:
                yield file.name, name.group(1), called.get(id(node), set())


def test_sources_use_nothing_but_what_the_stand_in_has():
    """So that what `cupy` lacks is found by the test below, or by any that runs it."""
    known = {path: set(keywords.split()) for path, keywords in FUNCTIONS.items()}
    known |= {name: set() for name in (*CONSTANTS, "fft", "linalg", "cuda")}
    known |= {"RawModule": {"code", "options"}, "cuda.runtime": set()}
    known |= {f"cuda.runtime.{name}": set() for name in RUNTIME}
    found = list(calls())
    assert len(found) > 150
    for file, name, keywords in found:
        base = name.removesuffix(".dtype")
        if base not in TORCH_ONLY:
            assert base in known, f"{file}: xp.{name}"
            assert keywords <= known[base], f"{file}: xp.{name} with {keywords}"


def test_cupy_has_what_the_stand_in_has():
    cupy = pytest.importorskip("cupy")
    for path, keywords in FUNCTIONS.items():
        function = cupy
        for name in path.split("."):
            function = getattr(function, name)
        # CuPy's ufuncs have no signature
        own = {"out", "dtype", "casting"}
        if not isinstance(function, cupy.ufunc):
            own = set(inspect.signature(function).parameters)
            own |= {"dtype", "optimize"} if path == "einsum" else set()
        assert set(keywords.split()) <= own, path
    assert all(hasattr(cupy, name) for name in CONSTANTS)
    assert all(hasattr(cupy.cuda.runtime, name) for name in RUNTIME)
    pool = cupy.get_default_memory_pool()
    assert pool.total_bytes and pool.free_all_blocks and cupy.fft.config.get_plan_cache
    assert all(hasattr(cupy.ndarray, name) for name in (*METHODS, *PROPERTIES))
