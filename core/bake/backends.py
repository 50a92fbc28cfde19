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

import importlib
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError, MissingPackageError
from ..images.image import Image, Pixels
from ..network.deformer import Deformer
from ..records.avatar import Avatar
from ..records.camera import Camera
from ..records.gaussians import Splats
from ..records.job import BakeJob
from ..render.cuda import gsplat_single, nvrtc
from ..render.rasteriser import Rasteriser
from ..system.lru import LRU
from ..system.machine import available_cores
from .preparing import fast_torch_on, need, prepare_numba, prepare_numpy

BACKENDS = ("numpy", "numba", "gsplat", "nvrtc", "reference")
CHOICES = ("auto", "cuda", "cuda-half", *BACKENDS)
PACKAGES = ("numpy", "torch", "numba", "gsplat", "librosa")
KEPT_AVATARS = 2

Float32 = NDArray[np.float32]
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


def backend_named(name: str) -> Backend:
    """Raises ArgumentError for an unknown name, MissingPackageError where a package is missing."""
    makers = {
        "numpy": lambda: Backend("numpy", "numpy", "CPU", prepare_numpy, _lazy("numpy.tiles")),
        "reference": lambda: Backend(
            "reference", "numpy float64", "CPU", prepare_numpy, _lazy("reference")
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


def remembering(backend: Backend) -> Backend:
    """The same backend, whose `prepare` keeps the last avatars: by content hash, or by identity
    where an avatar was not written yet."""
    kept: LRU[str | int, tuple[Avatar, Deformer]] = LRU(KEPT_AVATARS)

    def prepare(avatar: Avatar) -> Deformer:
        key = avatar.content_hash or id(avatar)
        found = kept.get(key) or kept.put(key, (avatar, backend.prepare(avatar)))
        return found[1]

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


def _lazy(module: str) -> Rasteriser:
    def rasterise(
        splats: Splats,
        camera: Camera,
        background: Float32 | None = None,
        sh_degree: int = 3,
    ) -> Image:
        draw: Rasteriser = importlib.import_module(f"..render.{module}", __package__).rasterise
        return draw(splats, camera, background, sh_degree)

    return rasterise


def _numba() -> Backend:
    need("numba")
    return Backend(
        "numba", "numba", "CPU", prepare_numba, _lazy("numba.rasterise"), _warm_up_numba,
        side_by_side=available_cores(),
    )  # fmt: skip


def _warm_up_numba() -> None:
    from ..network.numba.network import warm_up as warm_up_network
    from ..render.numba.rasterise import warm_up as warm_up_tiles

    warm_up_network()
    warm_up_tiles()


def _cuda(half: bool = False) -> Backend:
    """gsplat where it is prebuilt, else our own kernels, which take a second to compile where
    gsplat takes minutes; their error where neither can be used."""
    makers = [_nvrtc, _gsplat]
    if gsplat_single.available() is None and gsplat_single.prebuilt():
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
    return replace(backend, label=label, prepare=fast_torch_on("cuda", half=True))


def _gsplat() -> Backend:
    def drawer() -> Any:
        from ..render.cuda.gsplat_drawer import GsplatDrawer

        return GsplatDrawer()

    return _on_gpu("gsplat", "gsplat", gsplat_single.available(), gsplat_single.rasterise, drawer)


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
    return Backend(name, label, gpu, fast_torch_on("cuda"), rasterise, film=film)
