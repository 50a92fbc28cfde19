"""The kernels as a rasteriser of single frames, and why they are not where they are not."""

from __future__ import annotations

from functools import cache
from importlib import util
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...camera import Camera
from ...errors import MissingPackageError
from ...gaussians import Splats
from ...images.image import Image
from ..picture import check
from .views import view_table


@cache
def available() -> str | None:
    """None where this rasteriser can be used, else why not, in one line. Compiles nothing."""
    if util.find_spec("torch") is None:
        return "torch is not installed; pip install torch, or choose numba"
    try:
        from . import compiler_torch
    except (ImportError, OSError) as error:
        return f"torch cannot be used ({str(error).splitlines()[0]}); install it again"
    return compiler_torch.available()


def rasterise(
    splats: Splats,
    camera: Camera,
    background: NDArray[np.float32] | None = None,
    sh_degree: int = 3,
) -> Image:
    """A `Rasteriser`. The first call of a process compiles for about a second. Raises
    MissingPackageError where `available` gives a reason, or NVRTC refuses."""
    if (reason := available()) is not None:
        raise MissingPackageError(reason)
    check(camera, background, sh_degree)
    return draw_one(drawer(), "cuda", splats, camera, background, sh_degree)


def draw_one(
    drawer: Any,
    device: str,
    splats: Splats,
    camera: Camera,
    background: NDArray[np.float32] | None,
    sh_degree: int,
) -> Image:
    """One frame by a Drawer on that device."""
    import torch

    from .scene_torch import scene_of

    scene = scene_of(splats, torch.device(device))
    views = torch.from_numpy(view_table([camera])).to(device)
    behind = None if background is None else torch.tensor(background, device=device)
    size = (camera.width, camera.height)
    drawn = drawer.draw(scene, views, size, behind, sh_degree)
    while (pairs := int(drawn.pairs)) > drawn.capacity:
        drawer.learn((1, len(splats), *size), pairs)
        drawn = drawer.draw(scene, views, size, behind, sh_degree)
    picture: Image = drawn.pictures[0].cpu().numpy()
    return picture


@cache
def drawer() -> Any:
    """The process's Drawer on torch's present GPU. Compiles; raises MissingPackageError."""
    import torch

    from .compiler_torch import kernels
    from .drawer_torch import Drawer

    return Drawer(kernels(torch.cuda.current_device()))


def warm_up() -> None:
    """Compile, and draw one Gaussian."""
    one = np.ones((1, 4), np.float32)
    splats = Splats(
        one[:, :3], one / np.float32(2), one[:, :3], one[:, 0], np.zeros((1, 16, 3), np.float32)
    )
    rasterise(splats, Camera(np.eye(4), 16, 16, 8, 8, 16, 16))
