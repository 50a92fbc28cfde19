"""What deforms and what draws, by name, from what the Python at hand can import.

    reference   numpy deformation, float64 oracle      slow, for comparison
    numpy       numpy deformation, numpy tiles         needs nothing
    numba       compiled deformation and tiles on all cores
    gsplat      torch and gsplat on a CUDA GPU

On a CPU torch deforms slower than numba (`bench` shows all), so that it is left alone there.
Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import contextlib
import importlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata

import numpy as np
from numpy.typing import NDArray

from .avatar.record import Avatar
from .camera import Camera
from .errors import ArgumentError, MissingPackageError
from .gaussians import Splats, activate
from .images.image import Image
from .network.deformer import Deformer
from .render import gsplat_cuda
from .render.rasteriser import Rasteriser

BACKENDS = ("numpy", "numba", "gsplat", "reference")
PACKAGES = ("numpy", "torch", "numba", "gsplat", "librosa")
KEPT_AVATARS = 2

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Backend:
    """name: one of BACKENDS. label: for people, for example "numba". device: "CPU" or the
    GPU's name. prepare: an avatar to its deformer. rasterise: see render/rasteriser.py. warm_up:
    compile, or load what was compiled before, ahead of the first frame; on any thread."""

    name: str
    label: str
    device: str
    prepare: Callable[[Avatar], Deformer]
    rasterise: Rasteriser
    warm_up: Callable[[], None] = lambda: None


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


def preparations(torch_too: bool = True) -> list[tuple[str, Callable[[Avatar], Deformer]]]:
    """Every deformation that this Python can run, with its name."""
    found: list[tuple[str, Callable[[Avatar], Deformer]]] = [("numpy", _prepare_numpy)]
    with contextlib.suppress(MissingPackageError):
        _need("numba")
        found.append(("numba", _prepare_numba))
    if not torch_too:
        return found
    try:
        _need("torch")
    except MissingPackageError:
        return found
    import torch

    found.append(("torch CPU", _prepare_torch("cpu")))
    if torch.cuda.is_available():
        found.append((f"torch {torch.cuda.get_device_name()}", _prepare_torch("cuda")))
    return found


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


def _prepare_numpy(avatar: Avatar) -> Deformer:
    if avatar.network is None:
        return StillDeformer(avatar)
    from .network.numpy_network import prepare

    return prepare(avatar.network, avatar.gaussians)


def _prepare_numba(avatar: Avatar) -> Deformer:
    if avatar.network is None:
        return StillDeformer(avatar)
    from .network.numba_network import prepare

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
    _need("numba")
    return Backend("numba", "numba", "CPU", _prepare_numba, _lazy("tiles_numba"), _warm_up_numba)


def _warm_up_numba() -> None:
    from .network.numba_network import warm_up as warm_up_network
    from .render.tiles_numba import warm_up as warm_up_tiles

    warm_up_network()
    warm_up_tiles()


def _gsplat() -> Backend:
    if (reason := gsplat_cuda.available()) is not None:
        raise MissingPackageError(reason)
    import torch

    name = torch.cuda.get_device_name()
    return Backend("gsplat", "gsplat", name, _prepare_torch("cuda"), gsplat_cuda.rasterise)


def _need(package: str) -> None:
    """Import it, since an installed package may still refuse (another numpy, a missing library)."""
    try:
        importlib.import_module(package)
    except (ImportError, OSError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MissingPackageError(
            f"{package} cannot be used ({text}); pip install {package}, or choose another backend"
        ) from error
