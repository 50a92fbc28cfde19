"""A quick fake of gsplat with its shapes, devices and gradients, for tests of devices.
test_gsplat_reference.py compares it with gsplat."""

from __future__ import annotations

import inspect
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import torch

from core.records.camera import Camera
from core.records.gaussians import Splats
from core.render.cuda.gsplat_drawer import arguments
from core.render.cuda.scene import scene_of
from core.render.cuda.views import view_table


def rasterization(**given: Any) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    """Shapes and devices of gsplat's, and gradients to all that has some; the picture is none."""
    _check(given)
    means, viewmats = given["means"], given["viewmats"]
    frames, count, cameras = means.shape[:-2], means.shape[-2], viewmats.shape[-3]
    assert given["quats"].shape == (*frames, count, 4) and given["scales"].shape == means.shape
    assert given["opacities"].shape == (*frames, count)
    colours = given["colors"]
    if colours.dim() == means.dim():  # one for all cameras
        colours = colours[..., None, :, :]
    assert colours.shape == (*frames, cameras, count, 3)
    assert given["Ks"].shape == (*frames, cameras, 3, 3)
    centres = (means @ viewmats[..., 0, :3, :3].mT)[..., None, :, :2]
    size = (*frames, cameras, given["height"], given["width"])
    of_all = given["quats"].mean() + given["scales"].mean() + centres.mean()
    colour = colours.mean(-2)[..., None, None, :].expand(*size, 3)
    alpha = (given["opacities"].mean() + 1e-3 * of_all).expand(*size, 1)
    radii = torch.ones(*frames, cameras, count, 2, dtype=torch.int32, device=means.device)
    return colour * alpha, alpha, {"means2d": centres, "radii": radii}


def _check(given: dict[str, Any]) -> None:
    """TypeError for a name that gsplat does not know."""
    try:
        from gsplat.rendering import rasterization as real
    except ImportError:  # not installed, or this stands for it
        return
    inspect.signature(real).bind(**given)


def stand_in() -> ModuleType:
    package = ModuleType("gsplat")
    package.__spec__ = ModuleSpec("gsplat", None)
    package.rasterization = rasterization  # type: ignore[attr-defined]
    return package


def arguments_of(splats: Splats, view: Camera, degree: int) -> dict[str, Any]:
    """What our adapter gives gsplat for one frame, on the CPU."""
    scene = scene_of(splats, torch.device("cpu"))
    size, table = (view.width, view.height), torch.from_numpy(view_table([view]))
    return arguments(scene, table, size, degree)
