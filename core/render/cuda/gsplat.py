"""gsplat as a rasteriser of single frames, and the reason if it cannot be used."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import sys
from contextlib import redirect_stdout
from functools import cache, lru_cache
from importlib import metadata, util

from ...errors import MissingPackageError
from ...images.image import Image
from ...records.arrays import Float32
from ...records.camera import Camera
from ...records.gaussians import Splats
from .drawer import Drawer, draw_one

OLDEST = (1, 5)  # the first version with one camera for each head of a batch

_refused: str | None = None  # why it did not compile, in this process


@lru_cache(maxsize=1)
def available() -> str | None:
    """None if this rasteriser can be used, else the reason in one line. Compiles nothing."""
    for package in ("torch", "gsplat"):
        if util.find_spec(package) is None:
            return f"{package} is not installed; pip install {package}, or choose numba"
    try:
        from torch.utils.cpp_extension import CUDA_HOME

        from ...system.gpu_torch import unusable
    except (ImportError, OSError) as error:
        return f"torch cannot be used ({str(error).splitlines()[0]}); install it again"
    if (reason := unusable()) is not None:
        return reason
    return _refused or _too_old() or (None if prebuilt() else _without_toolkit(CUDA_HOME))


def _too_old() -> str | None:
    try:
        found = metadata.version("gsplat")
    except metadata.PackageNotFoundError:  # on the path, but not installed
        return None
    parts = tuple(int(part) for part in re.findall(r"\d+", found)[:2])
    if parts < OLDEST:
        wanted = ".".join(str(part) for part in OLDEST)
        return f"gsplat {found} draws no batches; pip install 'gsplat>={wanted}', or choose nvrtc"
    return None


def prebuilt() -> bool:
    """True if its compiled extension exists and fits this torch; otherwise gsplat compiles it."""
    try:
        importlib.import_module("gsplat.csrc")
    except (ImportError, OSError):
        return False
    return True


def load() -> None:
    """Make gsplat load its kernels, or compile them, which takes minutes. Raises
    MissingPackageError, now and at every later call: gsplat itself would fail later without giving
    the reason."""
    global _refused
    try:
        with redirect_stdout(sys.stderr):  # gsplat prints, and programs read our output
            kernels = importlib.import_module("gsplat.cuda._backend")._C
        reason = "it finds no CUDA toolkit" if kernels is None else ""
    except ModuleNotFoundError as error:
        # Another version may keep its kernels elsewhere, and loads them when it is called.
        reason = "" if str(error.name).startswith("gsplat") else str(error)
    except Exception as error:  # whatever a compiler's failure raises
        reason = (str(error).splitlines() or [type(error).__name__])[0]
    if reason:
        _refused = f"gsplat did not compile ({reason[:160]}); choose nvrtc or numba"
        available.cache_clear()
        raise MissingPackageError(_refused)


def _without_toolkit(cuda_home: str | None) -> str | None:
    # CUDA's own runtime images hold a toolkit without nvcc.
    names = ("nvcc", "nvcc.exe")
    own = any(os.path.isfile(os.path.join(cuda_home or "", "bin", name)) for name in names)
    if not own and shutil.which("nvcc") is None:
        return "gsplat compiles its kernels at first use and finds no nvcc; install a CUDA toolkit"
    return _without_compiler()


def _without_compiler() -> str | None:
    """nvcc needs a C++ compiler for the CPU's part of the code."""
    windows = sys.platform == "win32"
    names = ("cl",) if windows else (os.environ.get("CXX", "c++"), "g++", "clang++")
    if any(shutil.which(name) for name in names if name):
        return None
    wanted = "cl.exe of Visual Studio" if windows else "C++ compiler such as g++"
    return f"gsplat compiles its kernels at first use and finds no {wanted}; install it"


@cache
def drawer() -> Drawer:
    """The process's Drawer. Raises MissingPackageError if gsplat does not compile."""
    from .gsplat_drawer import GsplatDrawer

    load()
    return GsplatDrawer()


def rasterise(
    splats: Splats,
    camera: Camera,
    background: Float32 | None = None,
    sh_degree: int = 3,
    depth: Float32 | None = None,
) -> Image:
    """A `Rasteriser` (docs/method.md §3.11). The first call may compile for minutes.
    Raises MissingPackageError if `available` gives a reason."""
    if (reason := available()) is not None:
        raise MissingPackageError(reason)
    return draw_one(drawer(), "cuda", splats, camera, background, sh_degree, depth)
