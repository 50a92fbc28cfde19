"""Removes the head's Gaussians that no frame shows.

They lie far behind the surface. While the surface was still transparent they learnt what was seen
through it, so that a camera from the side would find skin where hair is.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ..network.torch.network import RawTensors
from ..records.camera import Camera
from ..records.gaussians import C0
from ..render.rasteriser import DILATION
from .batches import Batches
from .head import FIELDS, Field, Head, draw, head_at
from .preview import evenly_spaced
from .rasterisers.record import Splatter

FRAMES = 32  # that are looked at
HIDDEN = 0.01  # share of a Gaussian's own area


def remove_hidden(head: Head, batches: Batches, splat: Splatter) -> None:
    """In place; the same for the same head. The agents of ESAA stay, and so does all of an official
    head, as in the authors' code."""
    if not head.is_paper:
        return
    with torch.no_grad():
        field = head.field()
    shares = torch.zeros(len(head), device=batches.device)
    for row in evenly_spaced(batches.rows.tolist(), FRAMES):
        shares = torch.maximum(shares, _shares_at(head, batches, row, field, splat))
    keep = shares >= HIDDEN
    keep[: batches.config.agents] = True
    for name in FIELDS:
        head.canonical[name] = nn.Parameter(head.canonical[name].detach()[keep])


def _shares_at(head: Head, batches: Batches, row: int, field: Field, splat: Splatter) -> Tensor:
    at = np.array([row])
    raw = head_at(head, field, batches.windows(at), batches.eyes[at], batches.poses[at])
    return seen_shares(raw, batches.crop(row).camera, splat)


def seen_shares(raw: RawTensors, camera: Camera, splat: Splatter) -> Tensor:
    """(N,) how much of each Gaussian the picture shows, as a share of what it would be alone."""
    colours = torch.zeros_like(raw.sh, requires_grad=True)
    drawn = draw(raw._replace(sh=colours), camera, 0, splat)
    (slopes,) = torch.autograd.grad(drawn.colour[..., 0].sum(), colours)
    with torch.no_grad():
        viewmat = torch.from_numpy(camera.viewmat).to(raw.means)
        z = (raw.means @ viewmat[2, :3] + viewmat[2, 3]).clamp(min=1e-6)
        radii = raw.log_scales.exp().sort(dim=1).values[:, 1:] * camera.fx / z[:, None]
        areas = 2 * torch.pi * (radii**2 + DILATION).prod(1).sqrt()
        alone = raw.opacity_logits.sigmoid() * areas
        return slopes[:, 0, 0] / C0 / alone.clamp(min=1e-6)
