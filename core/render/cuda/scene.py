"""Gaussians of a batch of frames on a device, passed from the network to the drawer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...network.torch.network import RawTensors
from ...records.gaussians import Splats


class Scene(NamedTuple):
    """float32, contiguous, on one device. First axis: frames, or 1 where all frames share it.

    means (B, N, 3); quats (B, N, 4); scales (B, N, 3); opacities (B, N); sh (B, N, 16, 3). raw:
    before activation, as `gaussians.Gaussians`; else as `gaussians.Splats`."""

    means: Tensor
    quats: Tensor
    scales: Tensor
    opacities: Tensor
    sh: Tensor
    raw: bool

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        return self.means, self.quats, self.scales, self.opacities, self.sh


def scene_of(splats: Splats, device: torch.device) -> Scene:
    """One frame's splats, copied to the device."""
    values = (splats.means, splats.quats, splats.scales, splats.opacities, splats.sh)
    means, quats, scales, opacities, sh = (
        torch.from_numpy(np.array(value, np.float32, order="C")).to(device)[None]
        for value in values
    )
    return Scene(means, quats, scales, opacities, sh, raw=False)


def scene_of_raw(moved: RawTensors) -> Scene:
    """A network's batch (B, N, ...). An array that all frames share (`expand`) is read once."""

    def whole(value: Tensor) -> Tensor:
        return (value[:1] if value.stride(0) == 0 else value).contiguous()

    means, log_scales, quats, logits, sh = (whole(value) for value in moved)
    return Scene(means, quats, log_scales, logits, sh, raw=True)


def to_bytes(pictures: Tensor) -> Tensor:
    """(B, H, W, 4) float32 premultiplied -> uint8 with straight alpha: images.image.to_uint8."""
    alpha = pictures[..., 3:].clamp(0, 1)
    colour = torch.where(alpha > 0, pictures[..., :3] / alpha, 0)
    straight = torch.cat([colour, alpha], dim=-1).clamp(0, 1)
    return (straight * 255).to(torch.uint8)
