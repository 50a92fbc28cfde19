"""`network/skinning.py` in torch: batches on a device, with gradients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...records.arrays import Float32, Float64
from ...records.body import Body
from ..skinning import left_product, quaternion_of
from .network import RawTensors, raw_tensors

Motion = tuple[Tensor, Tensor]
"""What the motion of B frames adds to points (B, 3, 4) and to quaternions (B, 4, 4), float32."""


def motion_arrays(motions: Sequence[Float64]) -> tuple[Float32, Float32]:
    """Rigid motions (4, 4), as SkinnedBody.motion gives them -> the arrays of a Motion."""
    points = np.stack([m[:3] - np.eye(3, 4) for m in motions])
    turns = np.stack([left_product(quaternion_of(m[:3, :3])) - np.eye(4) for m in motions])
    return points.astype(np.float32), turns.astype(np.float32)


def skinned(means: Tensor, quats: Tensor, weights: Tensor, motion: Motion) -> tuple[Tensor, Tensor]:
    """means (M, 3), quats (M, 4) of unit length, weights (M,) -> (B, M, 3) and (B, M, 4), whose
    length is not 1."""
    points, turns = motion
    free = (1 - weights)[:, None]
    moved = torch.einsum("bij,mj->bmi", points[:, :, :3], means) + points[:, None, :, 3]
    turned = torch.einsum("bij,mj->bmi", turns, quats)
    return means + free * moved, quats + free * turned


class BodyTensors:
    """The body of one avatar on a device, behind the rows of a batch."""

    def __init__(self, body: Body, device: torch.device) -> None:
        self._raw = raw_tensors(body.gaussians(), device)
        self._quats = F.normalize(self._raw.quats, dim=-1)
        self._weights = torch.tensor(body.weights, device=device)

    def behind(self, head: RawTensors, motion: Motion) -> RawTensors:
        """head (B, N, ...) or, where all frames share it, (1, N, ...) -> (B, N + M, ...). An array
        that all frames share stays so."""
        means, quats = skinned(self._raw.means, self._quats, self._weights, motion)
        frames = len(means)
        body = self._raw._replace(means=means, quats=quats)
        out = []
        for own, other in zip(head, body, strict=True):
            if other.ndim < own.ndim:
                other = other[None]
            if len(own) == 1 or own.stride(0) == 0:
                own = own[:1]
            rows = max(len(own), len(other))
            parts = [part.expand(rows, *part.shape[1:]) for part in (own, other)]
            out.append(torch.cat(parts, dim=1).expand(frames, *([-1] * (own.ndim - 1))))
        return RawTensors(*out)
