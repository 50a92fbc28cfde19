"""A random avatar with a network, a background and a track, enough for most tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.records.avatar import Avatar, Background, Track
from core.records.camera import Camera
from core.records.feature_spec import FeatureSpec
from tests.support.synthetic import random_avatar


def moving_avatar(
    name: str,
    n: int,
    viewmats: Sequence[NDArray[np.float64]],
    centre: tuple[float, float],
    size: tuple[int, int],
    features: FeatureSpec,
    *,
    still: int = 0,
    seed: int,
) -> Avatar:
    """n Gaussians. centre: the principal point, size: (width, height), both in pixels. still: the
    row of `viewmats` that is the training camera."""
    network, gaussians = random_avatar(n, agents=40)
    rng = np.random.default_rng(seed)
    return Avatar(
        name=name,
        gaussians=gaussians,
        camera=Camera(viewmats[still], 150, 150, *centre, *size),
        network=network,
        features=features,
        background=Background(rng.integers(0, 255, (size[1], size[0], 3), np.uint8)),
        track=Track(np.float32(viewmats), rng.random(len(viewmats), np.float32)),
    )
