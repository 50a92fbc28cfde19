"""Scenes for the differentiable rasterisers, and their gradients as plain arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from core.records.camera import Camera
from core.records.gaussians import Splats
from core.training.rasterisers.record import Rendered, SplatTensors
from tests.support.render_scenes import camera, hard_cases, head, round_splats

INPUTS = ("means", "quats", "scales", "opacities", "sh", "probe")


def small_camera() -> Camera:
    """Neither square nor a multiple of a tile, the principal point aside."""
    view = camera(61, 37)
    return replace(view, cx=27.25, cy=21.5, fy=view.fy * 1.1)


def first(splats: Splats, count: int) -> Splats:
    fields = ("means", "quats", "scales", "opacities", "sh")
    return replace(splats, **{name: getattr(splats, name)[:count] for name in fields})


def scenes() -> dict[str, Splats]:
    """Few Gaussians, each scene with something that a derivative can get wrong."""
    cases = hard_cases()
    grown = first(cases["all but opaque"], 250)
    dark = first(cases["head"], 200)
    dark = replace(dark, sh=dark.sh - np.float32(1.2) * (np.arange(16) == 0)[:, None])
    return {
        "head": first(cases["head"], 300),
        "saturated": replace(grown, scales=grown.scales * 5),  # the stop rule, and alpha at its top
        "capped": replace(first(cases["opaque"], 200), scales=head(200).scales * 3),
        "near plane": first(cases["near plane"], 300),
        "off screen": first(cases["off screen"], 300),
        "needles": first(cases["needles"], 150),
        "huge": first(cases["huge"], 200),  # the slopes of x/z at their limits
        "equal depths": first(cases["equal depths"], 200),
        "dark": dark,  # channels cut at 0
        "faint": round_splats([[0, 0, 0], [0.2, 0, 0]], 0.2, 0.0039),  # never reaches 1/255
        "one": cases["one"],
    }


def tensors(splats: Splats, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    """The inputs and a probe, all of them wanting a gradient."""
    values = (splats.means, splats.quats, splats.scales, splats.opacities, splats.sh)
    made = [torch.tensor(np.asarray(value), dtype=dtype) for value in values]
    return [tensor.requires_grad_() for tensor in [*made, made[0].new_zeros(len(splats), 2)]]


def run(
    splat: Callable[..., Rendered], inputs: list[torch.Tensor], view: Camera, degree: int
) -> Rendered:
    *gaussians, probe = inputs
    return splat(SplatTensors(*gaussians), view, degree, probe)


def weights(view: Camera) -> tuple[torch.Tensor, torch.Tensor]:
    """What a test's loss multiplies colour and alpha by."""
    generator = torch.Generator().manual_seed(4)
    size = (view.height, view.width)
    return torch.randn(*size, 3, generator=generator), torch.randn(size, generator=generator)


def loss_of(picture: Rendered, view: Camera) -> torch.Tensor:
    of_colour, of_alpha = weights(view)
    return (picture.colour * of_colour).sum() + (picture.alpha * of_alpha).sum()


def gradients(
    splat: Callable[..., Rendered],
    splats: Splats,
    view: Camera,
    degree: int,
    dtype: torch.dtype = torch.float32,
) -> dict[str, np.ndarray]:
    inputs = tensors(splats, dtype)
    return slopes(loss_of(run(splat, inputs, view, degree), view), inputs)


def slopes(loss: torch.Tensor, inputs: list[torch.Tensor]) -> dict[str, np.ndarray]:
    """Gradients of the loss; zeros where it knows nothing of an input, as in the plain twin where
    nothing is drawn."""
    if loss.requires_grad:
        loss.backward()
    found = [torch.zeros_like(x) if x.grad is None else x.grad for x in inputs]
    return {name: slope.numpy() for name, slope in zip(INPUTS, found, strict=True)}


def turning(slope: np.ndarray, quats: np.ndarray) -> np.ndarray:
    """The part of a gradient of quaternions (N, 4) that turns them: the rasterisers may disagree on
    the rest, which normalising removes."""
    return slope - (slope * quats).sum(axis=1, keepdims=True) * quats
