"""One line reports if a GPU can be used: torch finds more GPUs than it has code for."""

from __future__ import annotations

import importlib
import sys
import warnings
from contextlib import nullcontext
from importlib import metadata
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np
import pytest

from core.errors import EngineError, MissingPackageError
from core.render.cuda import gsplat as our_gsplat
from core.render.cuda import nvrtc
from tests.support.emulation import emulated

pytest.importorskip("torch", reason="torch is not installed")
import torch

from core.bake.batch_renderer_torch import BatchRenderer
from core.render.cuda import compiler, nvrtc_drawer
from core.system import gpu_torch


@pytest.fixture
def seen(monkeypatch):
    """A GPU that torch sees; nothing was found out about it before, and nothing stays."""
    found_out = (gpu_torch.unusable, our_gsplat.available, nvrtc.available)
    for known in found_out:
        known.cache_clear()
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    yield monkeypatch
    for known in found_out:
        known.cache_clear()


def test_a_gpu_that_works_has_no_reason(seen) -> None:
    arange = torch.arange
    seen.setattr(torch, "arange", lambda count, device: arange(count))
    assert gpu_torch.unusable() is None


def test_a_gpu_that_torch_has_no_code_for_is_not_taken(seen) -> None:
    def refuse(*_, **__):
        warnings.warn("found GPU0 which is of capability 6.1", stacklevel=1)
        raise RuntimeError("CUDA error: no kernel image is available\nmore")

    seen.setattr(torch, "arange", refuse)
    reason = gpu_torch.unusable()
    assert reason is not None and "\n" not in reason
    assert "(CUDA error: no kernel image is available); install another, or choose" in reason
    assert nvrtc.available() == reason


def test_an_old_driver_is_said(seen) -> None:
    def none() -> bool:
        warnings.warn("CUDA initialization: The NVIDIA driver is too old.\nmore", stacklevel=1)
        return False

    seen.setattr(torch.cuda, "is_available", none)
    assert "(CUDA initialization: The NVIDIA driver is too old.); " in str(gpu_torch.unusable())


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (torch.OutOfMemoryError("Tried to allocate"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: an illegal memory access"), False),
    ],
)
def test_what_full_memory_is(error, full) -> None:
    assert gpu_torch.out_of_memory(error) is full
    renderer = object.__new__(BatchRenderer)
    part = type("Part", (), {"size": (40, 30), "views": [0]})()
    renderer._sent = lambda _: (_ for _ in ()).throw(error)  # type: ignore[method-assign]
    with pytest.raises(EngineError if full else RuntimeError):
        renderer._send(part)  # type: ignore[arg-type]


def test_a_full_processor_memory_is_one() -> None:
    with pytest.raises(RuntimeError) as found:
        torch.empty(10**14)
    assert gpu_torch.out_of_memory(found.value)


# Our own kernels ----------------------------------------------------------------------------


def test_a_thread_has_a_context_before_it_compiles(monkeypatch) -> None:
    """torch.cuda.device gives a new thread none where the device is 0 (pytorch issue 195256)."""
    order = []

    def compile_one(kernel_source, kernel_name):
        order.append(kernel_name)

    monkeypatch.setattr(torch.cuda, "_compile_kernel", compile_one, raising=False)
    monkeypatch.setattr(torch.cuda, "device", lambda index: nullcontext())
    monkeypatch.setattr(torch, "zeros", lambda *_, device: order.append(device))
    compiler._compile(0)
    assert order[0] == "cuda:0" and len(order) > 1


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    return emulated(tmp_path_factory.mktemp("kernels"))


@pytest.fixture
def drawn_here(seen, kernels):
    """The emulated kernels in the place of a GPU's."""
    draw = nvrtc.draw_one
    seen.setattr(compiler, "available", lambda: None)
    seen.setattr(nvrtc, "drawer", lambda: nvrtc_drawer.NvrtcDrawer(kernels))
    seen.setattr(nvrtc, "draw_one", lambda drawer, device, *rest: draw(drawer, "cpu", *rest))
    return seen


def test_kernels_that_draw_right_are_taken(drawn_here) -> None:
    assert nvrtc.available() is None


def test_kernels_that_draw_something_else_are_not(drawn_here) -> None:
    draw = nvrtc.draw_one
    drawn_here.setattr(nvrtc, "draw_one", lambda *given: draw(*given) * np.float32(0.9))
    assert "draw wrong colours on this GPU (by 0." in str(nvrtc.available())
    nvrtc.available.cache_clear()
    drawn_here.setattr(nvrtc, "draw_one", lambda *given: np.full((40, 49, 4), np.nan))
    assert "draw wrong colours on this GPU (by nan)" in str(nvrtc.available())


@pytest.mark.parametrize("error", [RuntimeError, OSError, TypeError, MissingPackageError])
def test_kernels_that_do_not_run_are_not(drawn_here, error) -> None:
    def fail(*_):
        raise error("CUDA error: invalid device context")

    drawn_here.setattr(nvrtc, "draw_one", fail)
    assert "CUDA error: invalid device context" in str(nvrtc.available())


def test_more_pairs_than_32_bits_count_are_an_error(kernels) -> None:
    drawer = nvrtc_drawer.NvrtcDrawer(kernels)
    assert drawer.learn((32, 10, 512, 512), 2_000_000_000) == nvrtc_drawer.MOST < 2**31
    with pytest.raises(EngineError, match="32 frames of 512x512 need 3000000000 pairs"):
        drawer.learn((32, 10, 512, 512), 3_000_000_000)


# gsplat -------------------------------------------------------------------------------------


@pytest.fixture
def gsplat(seen):
    """A package of that name, with a compiler at hand; what sets the version it says it has."""
    package = ModuleType("gsplat")
    package.__spec__, package.__path__ = ModuleSpec("gsplat", None), []
    seen.setitem(sys.modules, "gsplat", package)
    seen.setattr(gpu_torch, "unusable", lambda: None)
    seen.setattr(our_gsplat, "_refused", None)
    seen.setattr(our_gsplat.shutil, "which", lambda name: name)
    versions = {"gsplat": "1.5.3"}
    seen.setattr(metadata, "version", versions.__getitem__)
    return versions


def modules(monkeypatch, **found: object) -> None:
    """What importing gsplat's parts gives, or raises."""

    def imported(name: str) -> object:
        result = found.get(name.rpartition(".")[2], ModuleNotFoundError(name, name=name))
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(importlib, "import_module", imported)


def test_a_gsplat_that_can_be_compiled_is_taken(gsplat) -> None:
    assert our_gsplat.available() is None


def test_a_gsplat_too_old_for_batches_is_told(gsplat) -> None:
    gsplat["gsplat"] = "1.4.0"
    assert "gsplat 1.4.0 draws no batches; pip install 'gsplat>=1.5'" in str(our_gsplat.available())


def test_a_gsplat_built_for_another_torch_is_not_prebuilt(gsplat, seen) -> None:
    seen.setattr(our_gsplat.shutil, "which", lambda name: None)
    modules(seen, csrc=ImportError("undefined symbol: _ZN2at"))
    assert "finds no nvcc" in str(our_gsplat.available())
    our_gsplat.available.cache_clear()
    modules(seen, csrc=ModuleType("csrc"))
    assert our_gsplat.available() is None


def test_a_toolkit_without_a_compiler_compiles_nothing(gsplat, seen, tmp_path) -> None:
    from torch.utils import cpp_extension

    seen.setattr(cpp_extension, "CUDA_HOME", str(tmp_path))
    seen.setattr(our_gsplat.shutil, "which", lambda name: None if name == "nvcc" else name)
    assert "finds no nvcc" in str(our_gsplat.available())
    our_gsplat.available.cache_clear()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "nvcc").touch()
    assert our_gsplat.available() is None


@pytest.mark.parametrize(
    ("backend", "why"),
    [
        (RuntimeError("Error building extension 'gsplat_cuda': [1/30]\nc++ ..."), "Error building"),
        (type("Backend", (), {"_C": None}), "it finds no CUDA toolkit"),
    ],
)
def test_a_gsplat_that_does_not_compile_is_left_alone_after(gsplat, seen, backend, why) -> None:
    assert our_gsplat.available() is None
    modules(seen, _backend=backend)
    with pytest.raises(MissingPackageError, match=rf"gsplat did not compile \({why}"):
        our_gsplat.load()
    assert "gsplat did not compile" in str(our_gsplat.available())


def test_what_gsplat_says_while_it_compiles_is_no_line_of_ours(gsplat, seen, capsys) -> None:
    def imported(_: str) -> object:
        print("gsplat: Setting up CUDA")
        return type("Backend", (), {"_C": object()})

    seen.setattr(importlib, "import_module", imported)
    our_gsplat.load()
    assert capsys.readouterr().out == ""
