"""The backends by name: each deforms and draws, if this Python can import its packages.

    numpy       numpy deformation, numpy tiles         needs nothing
    numba       compiled deformation and tiles on all cores
    gsplat      torch and gsplat on a CUDA GPU; gsplat is prebuilt, or compiled at first use
    nvrtc       torch and our own kernels on a CUDA GPU; no compiler needed
    reference   numpy deformation, float64 oracle      slow, for comparison

"cuda" is gsplat if it is prebuilt, else nvrtc; "cuda-half" is "cuda" with the network in half
precision; "auto" is "cuda", else numba, else numpy. torch on a CPU deforms slower than numba, so no
backend uses it. Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from importlib import metadata

from ..errors import ArgumentError, MissingPackageError
from ..images.image import Image, Pixels
from ..images.layers import Layers
from ..network.deformer import Deformer
from ..records.arrays import Float32
from ..records.avatar import Avatar
from ..records.camera import Camera
from ..records.gaussians import Splats
from ..records.job import BakeJob
from ..render.cuda import gsplat, nvrtc
from ..render.cuda.drawer import Drawer
from ..render.rasteriser import Rasteriser
from ..system.lru import LRU
from ..system.machine import available_cores
from .deformers import prepare_numba, prepare_numpy, torch_deformers

PACKAGES = ("numpy", "torch", "numba", "gsplat", "librosa")
KEPT_AVATARS = 2

Batches = Callable[
    [BakeJob, Avatar, Deformer, bool], Generator[Image | Pixels | Layers, None, None]
]
"""(job, avatar, its deformer, in bytes) -> the job's pictures in order: Pixels if bytes are wanted,
Layers if the job's files have some, else Images."""


@dataclass(frozen=True)
class Backend:
    """name: one of BACKENDS. label: for people, for example "numba". device: "CPU" or the GPU's
    name. prepare: makes an avatar's deformer. rasterise: see render/rasteriser.py. missing: None if
    it can be used, else the reason in one line. warm_up: compile, or load what was compiled before,
    ahead of the first frame; on any thread. batches: the pictures of a whole job, if several at
    once are cheaper than one after the other. side_by_side: otherwise, how many frames of a bake
    are computed at once, each on one thread."""

    name: str
    label: str
    device: str
    prepare: Callable[[Avatar], Deformer]
    rasterise: Rasteriser
    missing: Callable[[], str | None] = lambda: None
    warm_up: Callable[[], None] = lambda: None
    batches: Batches | None = None
    side_by_side: int = 1


# Parts of the table below ---------------------------------------------------------------------


def _rasteriser(module: str) -> Rasteriser:
    def rasterise(
        splats: Splats,
        camera: Camera,
        background: Float32 | None = None,
        sh_degree: int = 3,
        depth: Float32 | None = None,
    ) -> Image:
        draw: Rasteriser = importlib.import_module(f"..render.{module}", __package__).rasterise
        return draw(splats, camera, background, sh_degree, depth)

    return rasterise


def _batches(drawer: Callable[[], Drawer]) -> Batches:
    def batches(
        job: BakeJob, avatar: Avatar, deformer: Deformer, in_bytes: bool
    ) -> Generator[Image | Pixels | Layers, None, None]:
        import torch

        from .batch_renderer_torch import BatchRenderer

        device = torch.device("cuda", torch.cuda.current_device())
        return BatchRenderer(job, avatar, deformer, drawer(), device, in_bytes).pictures()

    return batches


def _numba_missing() -> str | None:
    """Imports numba, since an installed package may still fail (another numpy, a missing
    library)."""
    try:
        importlib.import_module("numba")
    except (ImportError, OSError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        return f"numba cannot be used ({text}); pip install numba, or choose another backend"
    return None


def _warm_up_numba() -> None:
    from ..network.numba.network import warm_up as warm_up_network
    from ..render.numba.rasterise import warm_up as warm_up_tiles

    warm_up_network()
    warm_up_tiles()


GPU = ""  # a device whose name is looked up when the backend is chosen

TABLE = (
    Backend("numpy", "numpy", "CPU", prepare_numpy, _rasteriser("numpy.tiles")),
    Backend(
        "numba", "numba", "CPU", prepare_numba, _rasteriser("numba.rasterise"),
        missing=_numba_missing,
        warm_up=_warm_up_numba,
        side_by_side=available_cores(),
    ),
    Backend(
        "gsplat", "gsplat", GPU, torch_deformers("cuda"), gsplat.rasterise,
        missing=lambda: gsplat.available(),
        batches=_batches(gsplat.drawer),
    ),
    Backend(
        "nvrtc", "CUDA kernels", GPU, torch_deformers("cuda"), nvrtc.rasterise,
        missing=lambda: nvrtc.available(),
        warm_up=nvrtc.warm_up,
        batches=_batches(nvrtc.drawer),
    ),
    Backend("reference", "numpy float64", "CPU", prepare_numpy, _rasteriser("reference")),
)  # fmt: skip
BACKENDS = tuple(backend.name for backend in TABLE)
CHOICES = ("auto", "cuda", "cuda-half", *BACKENDS)


# Choosing -------------------------------------------------------------------------------------


def choose_backend(name: str = "auto") -> Backend:
    """name: one of CHOICES. Raises ArgumentError for an unknown name, MissingPackageError if
    the backend cannot be used."""
    if name == "auto":
        return best_backend()
    if name == "cuda":
        return _first_of(*_on_cuda())
    if name == "cuda-half":
        return in_half_precision(_first_of(*_on_cuda()))
    return backend_named(name)


def best_backend() -> Backend:
    """gsplat or our own kernels on a CUDA GPU, else numba, else numpy."""
    return _first_of(*_on_cuda(), "numba", "numpy")


def backend_named(name: str) -> Backend:
    """name: one of BACKENDS. Raises as `choose_backend` does."""
    for backend in TABLE:
        if backend.name == name:
            break
    else:
        raise ArgumentError(f"backend {name!r} is unknown; choose one of {', '.join(CHOICES)}")
    if (reason := backend.missing()) is not None:
        raise MissingPackageError(reason)
    if backend.device != GPU:
        return backend
    import torch

    return replace(backend, device=torch.cuda.get_device_name())


def in_half_precision(backend: Backend) -> Backend:
    """A backend on a GPU, its network in half precision."""
    label = f"{backend.label}, half precision"
    return replace(backend, label=label, prepare=torch_deformers("cuda", half=True))


def _on_cuda() -> tuple[str, str]:
    """gsplat first if it is prebuilt: otherwise it compiles for minutes, our own kernels for a
    second."""
    prebuilt = gsplat.available() is None and gsplat.prebuilt()
    return ("gsplat", "nvrtc") if prebuilt else ("nvrtc", "gsplat")


def _first_of(*names: str) -> Backend:
    """The first that can be used; the error of the first if none can."""
    errors = []
    for name in names:
        try:
            return backend_named(name)
        except MissingPackageError as error:
            errors.append(error)
    raise errors[0]


def remembering(backend: Backend) -> Backend:
    """The same backend, whose `prepare` caches the last avatars by content hash, or by identity if
    an avatar is not written yet."""
    kept: LRU[str | int, tuple[Avatar, Deformer]] = LRU(KEPT_AVATARS)

    def prepare(avatar: Avatar) -> Deformer:
        key = avatar.content_hash or id(avatar)
        found = kept.get(key) or kept.put(key, (avatar, backend.prepare(avatar)))
        return found[1]

    return replace(backend, prepare=prepare)


def package_versions() -> dict[str, str]:
    """The versions of the installed packages, read without importing them."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
