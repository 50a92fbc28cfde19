"""What deforms and what draws, by name, from what the Python at hand can import.

    reference   numpy deformation, float64 oracle      slow, for comparison
    numpy       numpy deformation, numpy tiles         needs nothing
    numba       compiled deformation and tiles on all cores
    gsplat      torch and gsplat on a CUDA GPU; gsplat is prebuilt, or compiled at first use
    nvrtc       torch and kernels of our own on a CUDA GPU; no compiler needed

"cuda" is gsplat where it is prebuilt, else nvrtc; "cuda-half" is that with the network in half
precision; "auto" is "cuda", else numba, else numpy. On a CPU torch deforms slower than numba
(`bench` shows all), so that it is left alone there.
Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import contextlib
import importlib
from collections import OrderedDict
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .avatar.record import Avatar
from .camera import Camera
from .errors import ArgumentError, MissingPackageError
from .gaussians import Gaussians, Splats, activate
from .images.image import Image, Pixels
from .job import BakeJob
from .machine import available_cores
from .network.deformer import Deformer
from .network.weights import NetworkWeights
from .render import gsplat_cuda
from .render.nvrtc import rasterise as nvrtc
from .render.rasteriser import Rasteriser

BACKENDS = ("numpy", "numba", "gsplat", "nvrtc", "reference")
CHOICES = ("auto", "cuda", "cuda-half", *BACKENDS)
PACKAGES = ("numpy", "torch", "numba", "gsplat", "librosa")
KEPT_AVATARS = 2

Float32 = NDArray[np.float32]
Prepare = Callable[[NetworkWeights, Gaussians], Deformer]
Film = Callable[[BakeJob, Avatar, Deformer, bool], Generator[Image | Pixels, None, None]]
"""(job, avatar, its deformer, in bytes) -> the job's pictures in order: Pixels where bytes are
wanted, else Images."""


@dataclass(frozen=True)
class Backend:
    """name: one of BACKENDS. label: for people, for example "numba". device: "CPU" or the
    GPU's name. prepare: an avatar to its deformer. rasterise: see render/rasteriser.py. warm_up:
    compile, or load what was compiled before, ahead of the first frame; on any thread. film: the
    pictures of a whole job, where several at once are cheaper than one after the other.
    side_by_side: how many frames of a bake are made at once otherwise, each on one thread."""

    name: str
    label: str
    device: str
    prepare: Callable[[Avatar], Deformer]
    rasterise: Rasteriser
    warm_up: Callable[[], None] = lambda: None
    film: Film | None = None
    side_by_side: int = 1


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
        "nvrtc": _nvrtc,
    }
    if name not in makers:
        raise ArgumentError(f"backend {name!r} is unknown; choose one of {', '.join(CHOICES)}")
    return makers[name]()


def best_backend() -> Backend:
    """On a CUDA GPU gsplat or our own kernels, else numba, else numpy."""
    for maker in (_cuda, _numba):
        try:
            return maker()
        except MissingPackageError:
            continue
    return backend_named("numpy")


def choose_backend(name: str = "auto") -> Backend:
    """name: one of CHOICES. Raises as `backend_named` does."""
    if name == "auto":
        return best_backend()
    if name in ("cuda", "cuda-half"):
        return _cuda(half=name == "cuda-half")
    return backend_named(name)


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

    from .gpu_torch import unusable

    found += [("torch CPU", _prepare_torch("cpu")), ("torch CPU, merged", _prepare_fast("cpu"))]
    if unusable() is None:
        name = torch.cuda.get_device_name()
        found.append((f"torch {name}", _prepare_torch("cuda")))
        found.append((f"torch {name}, merged", _prepare_fast("cuda")))
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

    return _approximable(avatar, avatar.network, prepare)


def _prepare_numba(avatar: Avatar) -> Deformer:
    if avatar.network is None:
        return StillDeformer(avatar)
    from .network.numba_network import prepare

    return _approximable(avatar, avatar.network, prepare)


def _approximable(avatar: Avatar, network: NetworkWeights, prepare: Prepare) -> Deformer:
    if avatar.held is None:
        return prepare(network, avatar.gaussians)
    from .network.held import ApproximableDeformer

    return ApproximableDeformer(network, avatar.gaussians, avatar.held, prepare)


def _prepare_torch(device: str) -> Callable[[Avatar], Deformer]:
    def prepare(avatar: Avatar) -> Deformer:
        if avatar.network is None:
            return StillDeformer(avatar)
        from .network.torch_network import prepare_torch

        return prepare_torch(avatar.network, avatar.gaussians, device)

    return prepare


def _prepare_fast(device: str, half: bool = False) -> Callable[[Avatar], Deformer]:
    def prepare(avatar: Avatar) -> Deformer:
        if avatar.network is None:
            return StillDeformer(avatar)
        from .network.fast_deformer_torch import prepare_fast

        return prepare_fast(avatar.network, avatar.gaussians, device, half=half)

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
    return Backend(
        "numba", "numba", "CPU", _prepare_numba, _lazy("tiles_numba"), _warm_up_numba,
        side_by_side=available_cores(),
    )  # fmt: skip


def _warm_up_numba() -> None:
    from .network.numba_network import warm_up as warm_up_network
    from .render.tiles_numba import warm_up as warm_up_tiles

    warm_up_network()
    warm_up_tiles()


def _cuda(half: bool = False) -> Backend:
    """gsplat where it is prebuilt, else our own kernels, which take a second to compile where
    gsplat takes minutes; their error where neither can be used."""
    makers = [_nvrtc, _gsplat]
    if gsplat_cuda.available() is None and gsplat_cuda.prebuilt():
        makers.reverse()
    try:
        backend = makers[0]()
    except MissingPackageError as error:
        try:
            backend = makers[1]()
        except MissingPackageError:
            raise error from None
    if not half:
        return backend
    label = f"{backend.label}, half precision"
    return replace(backend, label=label, prepare=_prepare_fast("cuda", half=True))


def _gsplat() -> Backend:
    def drawer() -> Any:
        from .render.gsplat_batch_torch import GsplatDrawer

        return GsplatDrawer()

    return _on_gpu("gsplat", "gsplat", gsplat_cuda.available(), gsplat_cuda.rasterise, drawer)


def _nvrtc() -> Backend:
    backend = _on_gpu("nvrtc", "CUDA kernels", nvrtc.available(), nvrtc.rasterise, nvrtc.drawer)
    return replace(backend, warm_up=nvrtc.warm_up)


def _on_gpu(
    name: str, label: str, reason: str | None, rasterise: Rasteriser, drawer: Callable[[], Any]
) -> Backend:
    if reason is not None:
        raise MissingPackageError(reason)
    import torch

    def film(
        job: BakeJob, avatar: Avatar, deformer: Deformer, in_bytes: bool
    ) -> Generator[Image | Pixels, None, None]:
        from .film_torch import Film

        device = torch.device("cuda", torch.cuda.current_device())
        return Film(job, avatar, deformer, drawer(), device, in_bytes).pictures()

    gpu = torch.cuda.get_device_name()
    return Backend(name, label, gpu, _prepare_fast("cuda"), rasterise, film=film)


def _need(package: str) -> None:
    """Import it, since an installed package may still refuse (another numpy, a missing library)."""
    try:
        importlib.import_module(package)
    except (ImportError, OSError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MissingPackageError(
            f"{package} cannot be used ({text}); pip install {package}, or choose another backend"
        ) from error
