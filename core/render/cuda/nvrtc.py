"""Our own kernels as a rasteriser of single frames, and the reason if they cannot be used."""

from __future__ import annotations

from functools import cache
from importlib import util

import numpy as np

from ...errors import MissingPackageError
from ...images.image import Image
from ...records.arrays import Float32
from ...records.camera import Camera
from ...records.gaussians import Splats
from .. import reference
from .drawer import Drawer, draw_one

TOLERANCE = 0.02  # of a colour: an alpha on the edge of 1/255 may fall on the other side


@cache
def available() -> str | None:
    """None if this rasteriser draws correctly, else the reason in one line. On a GPU it compiles
    for about a second and draws a small picture, so that with a faulty driver, torch or GPU "auto"
    chooses numba instead of failing at the user's first frame."""
    if util.find_spec("torch") is None:
        return "torch is not installed; pip install torch, or choose numba"
    try:
        from . import compiler
    except (ImportError, OSError) as error:
        return f"torch cannot be used ({str(error).splitlines()[0]}); install it again"
    reason = compiler.available()
    return _tried() if reason is None else reason


def _tried() -> str | None:
    """None if the current GPU draws the same picture as the oracle, else the reason."""
    splats, view, background = _sample()
    try:
        picture = draw_one(drawer(), "cuda", splats, view, background, 3)
    except MissingPackageError as error:
        return str(error)
    except (RuntimeError, TypeError, ValueError, OSError, AttributeError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        return f"the CUDA kernels do not run on this GPU ({lines[0]}); choose numba"
    off = np.abs(picture - reference.rasterise(splats, view, background)).max()
    if not off < TOLERANCE:  # NaN, too
        return f"the CUDA kernels draw wrong colours on this GPU (by {off:.3g}); choose numba"
    return None


def _sample() -> tuple[Splats, Camera, Float32]:
    """Sixty Gaussians of all kinds over a background, some of them larger than a tile."""
    rng = np.random.default_rng(3)
    quats = rng.normal(size=(60, 4))
    numbers = (
        rng.normal(0, 0.5, (60, 3)),
        quats / np.linalg.norm(quats, axis=1, keepdims=True),
        np.exp(rng.normal(-2.2, 0.6, (60, 3))),
        rng.uniform(0.1, 0.9, 60),
        rng.normal(0, 0.3, (60, 16, 3)),
    )
    splats = Splats(*(values.astype(np.float32) for values in numbers))
    viewmat = np.eye(4)
    viewmat[2, 3] = 5
    camera = Camera(viewmat, 70, 70, 24.5, 20, 49, 40)
    return splats, camera, rng.random((40, 49, 3), np.float32)


def rasterise(
    splats: Splats,
    camera: Camera,
    background: Float32 | None = None,
    sh_degree: int = 3,
    depth: Float32 | None = None,
) -> Image:
    """A `Rasteriser`. Raises MissingPackageError if `available` gives a reason."""
    if (reason := available()) is not None:
        raise MissingPackageError(reason)
    return draw_one(drawer(), "cuda", splats, camera, background, sh_degree, depth)


@cache
def drawer() -> Drawer:
    """The process's Drawer on torch's current GPU. Compiles; raises MissingPackageError."""
    import torch

    from .compiler import kernels
    from .nvrtc_drawer import NvrtcDrawer

    return NvrtcDrawer(kernels(torch.cuda.current_device()))


def warm_up() -> None:
    """Compile, and draw something."""
    available()
