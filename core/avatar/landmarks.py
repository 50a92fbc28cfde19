"""Places on the head where things are attached: brow, nose, chin, ears."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float64
from ..records.avatar import Avatar
from ..records.gaussians import activate
from .binding import MIN_OPACITY, NEAREST, Binding, bind

# Name -> the landmarks whose mean it is; in the usual order of 68.
LANDMARKS: dict[str, tuple[int, ...]] = {
    "brow": (21, 22),
    "bridge": (27,),
    "nose": (30,),
    "chin": (8,),
    "ear_left": (16,),
    "ear_right": (0,),
}
# For an avatar whose file has no landmarks: the place from the tip of the nose, in widths of the
# head. x to the head's left, y up, z to the viewer. Measured at the synthetic talker.
FROM_NOSE: dict[str, tuple[float, float, float]] = {
    "brow": (0.0, 0.27, -0.15),
    "bridge": (0.0, 0.21, -0.13),
    "nose": (0.0, 0.0, 0.0),
    "chin": (0.0, -0.52, -0.16),
    "ear_left": (0.44, 0.21, -0.56),
    "ear_right": (-0.44, 0.21, -0.56),
}
EDGE = 2.0  # percent of the Gaussians on either side that do not count to the head's width
COLUMN, BAND = 0.1, 0.25  # widths of the head: where the nose is, sideways and up or down
TIP = 0.02  # of the Gaussians there: those in front are the tip


@dataclass(frozen=True, eq=False)
class AttachedLandmarks:
    """Chosen landmarks of an avatar, each bound to the Gaussians nearest to it."""

    names: tuple[str, ...]
    binding: Binding

    def places(self, means: NDArray[np.floating]) -> Float64:
        """(L, 3) decimetres in the head's frame, for the deformed means (N, 3) of the head, of
        which more rows may follow: each landmark moves as its Gaussians do."""
        return self.binding.places(means)


def attached(avatar: Avatar, names: Sequence[str]) -> AttachedLandmarks:
    """names: of LANDMARKS. They are where training measured them (Avatar.landmarks), or else where
    `guessed` puts them."""
    still = activate(avatar.gaussians)
    if avatar.landmarks is not None:
        stored = avatar.landmarks.astype(np.float64)
        places = np.stack([stored[list(LANDMARKS[name])].mean(axis=0) for name in names])
    else:
        every = guessed(still.means, still.opacities)
        places = np.stack([every[name] for name in names])
    return AttachedLandmarks(tuple(names), bind(places, still.means, still.opacities))


def guessed(means: NDArray[np.floating], opacities: NDArray[np.floating]) -> dict[str, Float64]:
    """The landmarks of a head without any: the tip of the nose is in front in the middle, at the
    height of the frame's origin; the others follow by the proportions of a head. (3,) each."""
    solid = means[opacities >= MIN_OPACITY].astype(np.float64)
    if len(solid) < NEAREST:
        solid = means.astype(np.float64)
    left, right = np.percentile(solid[:, 0], [EDGE, 100 - EDGE])
    width, middle = right - left, (left + right) / 2
    there = np.abs(solid[:, 0] - middle) <= COLUMN * width
    there &= np.abs(solid[:, 1]) <= BAND * width
    column = solid[there] if there.any() else solid
    count = min(max(NEAREST, round(TIP * len(column))), len(column))
    front = column[np.argsort(-column[:, 2], kind="stable")[:count]]
    nose = np.median(front, axis=0)
    nose[0] = middle
    return {name: nose + width * np.array(offset) for name, offset in FROM_NOSE.items()}
