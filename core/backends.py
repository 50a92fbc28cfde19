"""What deforms and what draws, by name, from what the Python at hand can import.

    reference   numpy deformation, float64 oracle      slow, for comparison
    numpy       numpy deformation, numpy tiles         needs nothing
    numba       torch or numpy deformation, compiled tiles on all cores
    gsplat      torch and gsplat on a CUDA GPU

Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata, util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .avatar.record import Avatar
from .camera import Camera
from .errors import ArgumentError, MissingPackageError
from .gaussians import Splats, activate
from .images.image import Image
from .network.deformer import Deformer
from .render.rasteriser import Rasteriser

BACKENDS = ("numpy", "numba", "gsplat", "reference")
PACKAGES = ("numpy", "torch", "numba", "gsplat", "librosa")
KEPT_AVATARS = 2

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Backend:
    """name: one of BACKENDS. label: for people, for example "numba + torch". device: "CPU" or the
    GPU's name. prepare: an avatar to its deformer. rasterise: see render/rasteriser.py."""

    name: str
    label: str
    device: str
    prepare: Callable[[Avatar], Deformer]
    rasterise: Rasteriser


class StillDeformer:
    """An avatar without a network: the canonical head at every moment."""

    def __init__(self, avatar: Avatar) -> None:
        self._splats = activate(avatar.gaussians)

    def encode_audio(self, windows: Float32) -> Float32:
        return np.zeros(32, np.float32)

    def deform(self, code: Float32, eye: float, pose: Float32, strength: float) -> Splats:
        return self._splats


def backend_named(name: str) -> Backend:
    """Raises ArgumentError for an unknown name, MissingPackageError where a package is missing."""
    makers = {
        "numpy": lambda: Backend("numpy", "numpy", "CPU", _prepare_numpy, _lazy("tiles_numpy")),
        "reference": lambda: Backend(
            "reference", "numpy float64", "CPU", _prepare_numpy, _lazy("reference")
        ),
        "numba": _numba,
        "gsplat": _gsplat,
    }
    if name not in makers:
        raise ArgumentError(f"backend {name!r} is unknown; choose one of {', '.join(BACKENDS)}")
    return makers[name]()


def best_backend() -> Backend:
    """gsplat on a CUDA GPU, else numba, else numpy."""
    for maker in (_gsplat, _numba):
        try:
            return maker()
        except MissingPackageError:
            continue
    return backend_named("numpy")


def choose_backend(name: str = "auto") -> Backend:
    return best_backend() if name == "auto" else backend_named(name)


def remembering(backend: Backend) -> Backend:
    """The same backend, whose `prepare` keeps the last avatars: by content hash, or by identity
    where an avatar was not written yet."""
    kept: OrderedDict[str | int, tuple[Avatar, Deformer]] = OrderedDict()

    def prepare(avatar: Avatar) -> Deformer:
        key = avatar.content_hash or id(avatar)
        if key not in kept:
            kept[key] = (avatar, backend.prepare(avatar))
            while len(kept) > KEPT_AVATARS:
                kept.popitem(last=False)
        kept.move_to_end(key)
        return kept[key][1]

    return replace(backend, prepare=prepare)


def package_versions() -> dict[str, str]:
    """Versions of what is installed, read without importing it."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def cache_folder() -> Path:
    """Where compiled code is kept between runs: the user's own cache, never beside the source."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "egstalker"


def _prepare_numpy(avatar: Avatar) -> Deformer:
    if avatar.network is None:
        return StillDeformer(avatar)
    from .network.numpy_network import prepare

    return prepare(avatar.network, avatar.gaussians)


def _prepare_torch(device: str) -> Callable[[Avatar], Deformer]:
    def prepare(avatar: Avatar) -> Deformer:
        if avatar.network is None:
            return StillDeformer(avatar)
        from .network.torch_network import prepare_torch

        return prepare_torch(avatar.network, avatar.gaussians, device)

    return prepare


def _lazy(module: str) -> Rasteriser:
    def rasterise(
        splats: Splats,
        camera: Camera,
        background: Float32 | None = None,
        sh_degree: int = 3,
    ) -> Image:
        draw: Rasteriser = importlib.import_module(f".render.{module}", __package__).rasterise
        return draw(splats, camera, background, sh_degree)

    return rasterise


def _numba() -> Backend:
    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder() / "numba"))
    _need("numba")
    if util.find_spec("torch") is None:
        return Backend("numba", "numba + numpy", "CPU", _prepare_numpy, _lazy("tiles_numba"))
    return Backend("numba", "numba + torch", "CPU", _prepare_torch("cpu"), _lazy("tiles_numba"))


def _gsplat() -> Backend:
    if util.find_spec("gsplat") is None:  # spares the import of torch where it would be in vain
        raise MissingPackageError("gsplat is not installed; pip install gsplat, or choose numba")
    _need("torch")
    import torch

    if not torch.cuda.is_available():
        raise MissingPackageError("gsplat needs a CUDA GPU that torch can use; choose numba")
    _need("gsplat")
    name = torch.cuda.get_device_name()
    return Backend("gsplat", "gsplat", name, _prepare_torch("cuda"), _lazy("gsplat_cuda"))


def _need(package: str) -> None:
    """Import it, since an installed package may still refuse (another numpy, a missing library)."""
    try:
        importlib.import_module(package)
    except (ImportError, OSError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MissingPackageError(
            f"{package} cannot be used ({text}); pip install {package}, or choose another backend"
        ) from error
