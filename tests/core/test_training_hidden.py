"""What no frame shows: guesses of the body go behind the head, the head's own floaters go."""

from __future__ import annotations

import numpy as np
import torch

from core.network.torch.network import RawTensors
from core.records.camera import Camera
from core.records.gaussians import SH_COEFFICIENTS
from core.training.body_hidden import missing_depth
from core.training.head_hidden import HIDDEN, seen_shares
from tests.support.plain_rasteriser import splat

CAMERA = Camera(np.eye(4), 60.0, 60.0, 12.0, 12.0, 24, 24)


def gaussians(points: list[tuple[float, float, float]], size: float, opacity: float) -> RawTensors:
    n = len(points)
    return RawTensors(
        torch.tensor(points),
        torch.full((n, 3), float(np.log(size))),
        torch.tensor([[1.0, 0, 0, 0]]).repeat(n, 1),
        torch.full((n,), float(np.log(opacity / (1 - opacity)))),
        torch.zeros(n, SH_COEFFICIENTS, 3),
    )


def wall(depth: float) -> list[tuple[float, float, float]]:
    """Over the left half of the picture."""
    return [(x / 10, y / 10, depth) for x in range(-9, -1) for y in range(-9, 10)]


def test_guesses_go_behind_all_that_is_seen_of_the_head() -> None:
    head = gaussians(wall(5.0) + wall(5.4) + wall(5.41), 0.1, 0.4)
    head.opacity_logits[: len(wall(5.0))] = -2.5  # the farther layers are seen through the first
    hidden = gaussians(
        [(-0.5, 0.0, 5.1), (-0.5, 0.1, 4.0), (-0.6, 0.0, 6.5), (0.6, 0.0, 4.0), (9.0, 0.0, 5.0)],
        0.05,
        0.9,
    )
    by = missing_depth(head, hidden, CAMERA, splat)
    assert by[2] == by[3] == by[4] == 0  # behind it, beside it, outside the picture
    deepest = hidden.means[:2, 2] + by[:2]
    assert (deepest > 5.4).all() and (deepest < 5.9).all()
    moved = hidden._replace(means=hidden.means + torch.stack([by * 0, by * 0, by], 1))
    assert missing_depth(head, moved, CAMERA, splat).abs().max() < 0.05


def test_a_gaussian_behind_the_surface_is_not_seen() -> None:
    front = gaussians(wall(5.0) + wall(5.01), 0.1, 0.98)
    behind = gaussians([(-0.5, 0.0, 5.6), (0.6, 0.0, 5.6)], 0.05, 0.9)
    both = RawTensors(*(torch.cat(pair) for pair in zip(front, behind, strict=True)))
    shares = seen_shares(both, CAMERA, splat)
    assert shares[-2] < HIDDEN and 0.8 < shares[-1] < 1.2
    assert (shares[: len(wall(5.0))] > HIDDEN).all()
