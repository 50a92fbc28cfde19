"""The landmarks of the frames as a target: points that the network moves as it moves Gaussians."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..dataset.landmarks import EYES, LOWER_INNER, MOUTH, UPPER_INNER
from ..network.torch.network import FirstAttention, RawTensors
from .batches import Batches
from .head import Head

HUBER = 4.0  # pixels; with 1, wide openings count too little and are learnt late
# Of the difference of spreads. The mean distance alone is smallest for lips that move as little as
# they are uncertain, which is half of the true movement where sound explains half of it. From the
# first step on, it is met soonest by a mouth that moves with the eyes, and speech is never learnt.
SPREAD, SPREAD_FROM = 0.3, 0.5


class LandmarkLoss:
    """points (68, 3): the landmarks' mean places in the head's frame, decimetres."""

    def __init__(self, batches: Batches, head: Head, points: Tensor) -> None:
        self.batches, self.head, self.points = batches, head, points
        weights = torch.ones(68, device=batches.device)
        weights[EYES] = 4
        weights[MOUTH] = 3
        weights[60:] = 6
        self.weights = weights / weights.mean()

    def loss(
        self, step: int, count: int, x: Tensor, first: FirstAttention | None, spread: bool
    ) -> Tensor:
        """Huber distance of the projected points from the landmarks of `count` frames, pixels, with
        the slope 1 far out; spread: plus that of the spreads of the lip gap. x (68, 64): features
        of the points. first: their attention to the agents."""
        batches, points = self.batches, self.points
        sample = batches.landmark_sample(step, count)
        codes = self.head.network.encode_audio(sample.windows)
        index = torch.from_numpy(sample.rows).to(batches.device)
        moved, _ = self.head.network.deform(
            _points_alone(points), x, first, codes, batches.eyes[index], sample.poses
        )
        view = batches.viewmats[index]
        camera = torch.einsum("bij,bkj->bki", view[:, :3, :3], moved.means) + view[:, None, :3, 3]
        clip = batches.clip
        middle = torch.tensor([clip.width / 2, clip.height / 2], device=batches.device)
        pixels = camera[..., :2] / camera[..., 2:] * clip.focal + middle
        target = batches.landmarks[index]
        error = F.huber_loss(pixels, target, reduction="none", delta=HUBER) / HUBER
        distance = (error.sum(-1) * self.weights).mean()
        if spread:
            distance = distance + SPREAD * (_spread(pixels) - _spread(target)).abs()
        return distance


def landmark_loss_of(batches: Batches, head: Head) -> LandmarkLoss | None:
    """None if the clip gives no landmarks."""
    if batches.landmark_points is None:
        return None
    points = torch.tensor(batches.landmark_points, dtype=torch.float32, device=batches.device)
    return LandmarkLoss(batches, head, points)


def _spread(landmarks: Tensor) -> Tensor:
    """The standard deviation of the lip gap over frames, pixels, of landmarks (B, 68, 2)."""
    gap = (landmarks[:, UPPER_INNER] - landmarks[:, LOWER_INNER]).mean(dim=1)
    variance = (gap - gap.mean(dim=0)).square().sum(dim=1).mean()
    return (variance + 1e-6).sqrt()  # finite gradient where nothing moves


def _points_alone(points: Tensor) -> RawTensors:
    """Points (P, 3) as Gaussians whose other values are zero."""
    zeros = points.new_zeros
    n = len(points)
    return RawTensors(points, zeros(n, 3), zeros(n, 4), zeros(n), zeros(n, 1, 3))
