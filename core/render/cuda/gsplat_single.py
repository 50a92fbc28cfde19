"""CUDA rasteriser through gsplat, set to the official rules as far as its options reach.

What stays different (docs/method.md §8.1): the footprint of a Gaussian ends where alpha falls
under 1/255 or at 3.33 standard deviations instead of at the edge of whole tiles. On a trained
avatar that is 91 dB from the official picture; the greatest difference seen is 2.4/255.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import sys
from contextlib import redirect_stdout
from functools import lru_cache
from importlib import metadata, util
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MissingPackageError
from ...images.image import Image
from ...records.camera import Camera
from ...records.gaussians import Splats
from ..picture import check, finish
from ..rasteriser import DILATION, MAX_ALPHA, NEAR, TILE
from ..sh import terms

OLDEST = (1, 5)  # takes a camera for each of several heads

_refused: str | None = None  # why it did not compile, in this process


@lru_cache(maxsize=1)
def available() -> str | None:
    """None where this rasteriser can be used, else why not, in one line. Compiles nothing."""
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
    return _refused or _not_ours() or (None if prebuilt() else _without_toolkit(CUDA_HOME))


def _not_ours() -> str | None:
    try:
        found = metadata.version("gsplat")
    except metadata.PackageNotFoundError:  # lies on the path only
        return None
    parts = tuple(int(part) for part in re.findall(r"\d+", found)[:2])
    if parts < OLDEST:
        wanted = ".".join(str(part) for part in OLDEST)
        return f"gsplat {found} draws no batches; pip install 'gsplat>={wanted}', or choose nvrtc"
    return None


def prebuilt() -> bool:
    """Whether its compiled half is there and fits this torch; gsplat compiles it again if not."""
    try:
        importlib.import_module("gsplat.csrc")
    except (ImportError, OSError):
        return False
    return True


def load() -> None:
    """Have gsplat load its kernels, or compile them for minutes. Raises MissingPackageError, and so
    does every later call: gsplat would go on without them, to an error that says nothing."""
    global _refused
    try:
        with redirect_stdout(sys.stderr):  # it talks, and others read our lines
            kernels = importlib.import_module("gsplat.cuda._backend")._C
        reason = "it finds no CUDA toolkit" if kernels is None else ""
    except ModuleNotFoundError as error:
        # Another gsplat may keep them elsewhere, and loads them when it is called.
        reason = "" if str(error.name).startswith("gsplat") else str(error)
    except Exception as error:  # whatever a compiler's failure raises
        reason = (str(error).splitlines() or [type(error).__name__])[0]
    if reason:
        _refused = f"gsplat did not compile ({reason[:160]}); choose nvrtc or numba"
        available.cache_clear()
        raise MissingPackageError(_refused)


def _without_toolkit(cuda_home: str | None) -> str | None:
    # A toolkit without nvcc is what CUDA's own images for running have.
    names = ("nvcc", "nvcc.exe")
    own = any(os.path.isfile(os.path.join(cuda_home or "", "bin", name)) for name in names)
    if not own and shutil.which("nvcc") is None:
        return "gsplat compiles its kernels at first use and finds no nvcc; install a CUDA toolkit"
    return _without_compiler()


def _without_compiler() -> str | None:
    """nvcc leaves the processor's half of the code to another compiler."""
    windows = sys.platform == "win32"
    names = ("cl",) if windows else (os.environ.get("CXX", "c++"), "g++", "clang++")
    if any(shutil.which(name) for name in names if name):
        return None
    wanted = "cl.exe of Visual Studio" if windows else "C++ compiler such as g++"
    return f"gsplat compiles its kernels at first use and finds no {wanted}; install it"


def rasterise(
    splats: Splats,
    camera: Camera,
    background: NDArray[np.float32] | None = None,
    sh_degree: int = 3,
) -> Image:
    """A `Rasteriser` (docs/method.md §3.11). The first call may compile for minutes.
    Raises MissingPackageError where `available` gives a reason."""
    reason = available()
    if reason is not None:
        raise MissingPackageError(reason)
    load()
    import gsplat
    import torch

    check(camera, background, sh_degree)
    if len(splats) == 0:
        size = (camera.height, camera.width)
        return finish(np.zeros((*size, 3), np.float32), np.ones(size, np.float32), background)
    with torch.no_grad():
        rgb, alpha, _ = gsplat.rasterization(**arguments(splats, camera, sh_degree, "cuda"))
        both = torch.cat([rgb, alpha], dim=-1)[0].cpu().numpy()
    # A background per pixel is laid here: gsplat's own is one colour.
    return finish(both[..., :3], 1 - both[..., 3], background)


def arguments(splats: Splats, camera: Camera, sh_degree: int, device: str) -> dict[str, Any]:
    """Arguments of gsplat.rasterization for one camera, tensors float32 on the device.

    Colours are evaluated here and passed as [1, N, 3]: versions of gsplat disagree on how
    coefficients are shaped. Opacities are limited to 0.99: 1.5.x caps alpha at 0.999, which lets
    one layer end a pixel that officially takes two.
    """
    import torch

    def tensor(values: Any) -> Any:
        return torch.tensor(np.asarray(values, np.float32), device=device)

    means, sh = tensor(splats.means), tensor(splats.sh)
    directions = torch.nn.functional.normalize(means - tensor(camera.centre), dim=-1)
    x, y, z = directions.unbind(-1)
    basis = torch.stack(terms(x, y, z, sh_degree), dim=-1)
    colours = torch.einsum("nk,nkc->nc", basis, sh[:, : basis.shape[1]])
    return {
        "means": means,
        "quats": tensor(splats.quats),
        "scales": tensor(splats.scales),
        "opacities": tensor(splats.opacities).clamp(max=MAX_ALPHA),
        "colors": (colours + 0.5).clamp(min=0)[None],
        "viewmats": tensor(camera.viewmat)[None],
        "Ks": tensor(camera.K)[None],
        "width": camera.width,
        "height": camera.height,
        "near_plane": NEAR,
        "eps2d": DILATION,
        "sh_degree": None,
        "packed": False,  # a head is seen whole; packing would wait for the GPU once more
        "tile_size": TILE,
        "render_mode": "RGB",
        "rasterize_mode": "classic",
    }
