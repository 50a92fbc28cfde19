"""Keeps the parts of the body that no frame shows behind the head.

They are guesses, and nothing in the training corrects them. One that lies before the Gaussians of
the head's far layers, or of a neck that the masks count as head, would show through in every frame.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..network.torch.network import RawTensors
from ..records.camera import Camera
from ..records.gaussians import C0
from .head import draw
from .rasterisers.record import Splatter

SOLID = 0.9  # alpha of the head where it can hide anything
DEVIATIONS = 2.0  # of the head's depth and of the hidden Gaussian, between them


def missing_depth(head: RawTensors, hidden: RawTensors, camera: Camera, splat: Splatter) -> Tensor:
    """(H,) decimetres by which each hidden Gaussian must move away from the camera to lie behind
    the head, 0 where it does or the head is not before it. Both in the head's frame."""
    with torch.no_grad():
        mean, deviation, alpha = _depths(head, camera, splat)
        local = _local(hidden.means, camera)
        z = local[:, 2].clamp(min=1e-6)
        x = (camera.fx * local[:, 0] / z + camera.cx).floor().long()
        y = (camera.fy * local[:, 1] / z + camera.cy).floor().long()
        inside = (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height)
        x, y = x.clamp(0, camera.width - 1), y.clamp(0, camera.height - 1)
        size = hidden.log_scales.exp().amax(1)
        far = mean[y, x] + DEVIATIONS * (deviation[y, x] + size)
        return torch.where(inside & (alpha[y, x] > SOLID), (far - z).clamp(min=0), 0.0)


def _depths(head: RawTensors, camera: Camera, splat: Splatter) -> tuple[Tensor, Tensor, Tensor]:
    """(h, w) each: mean and standard deviation of the depth of what is seen, decimetres, and
    alpha."""
    z = _local(head.means, camera)[:, 2]
    near, depth = z.min(), (z.max() - z.min()).clamp(min=1e-6)
    share = (z - near) / depth
    colours = torch.stack([share, share**2, torch.zeros_like(share)], dim=1)
    sh = torch.zeros_like(head.sh)
    sh[:, 0] = (colours - 0.5) / C0
    drawn = draw(head._replace(sh=sh), camera, 0, splat)
    first, second = (drawn.colour[..., k] / drawn.alpha.clamp(min=1e-6) for k in (0, 1))
    deviation = (second - first**2).clamp(min=0).sqrt()
    return near + depth * first, depth * deviation, drawn.alpha


def _local(means: Tensor, camera: Camera) -> Tensor:
    viewmat = torch.from_numpy(camera.viewmat).to(means)
    return means @ viewmat[:3, :3].T + viewmat[:3, 3]
