"""Neck, shoulders and chest as 3D Gaussians that stand still while the head turns on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arrays import Float32
from .gaussians import SH_COEFFICIENTS, Gaussians


@dataclass(frozen=True, eq=False)
class Body:
    """M Gaussians in the body's frame, which is the head's frame at the still pose (the viewmat of
    the avatar's training camera). Raw values as of Gaussians, float32: means (M, 3) decimetres;
    log_scales (M, 3); quats (M, 4); opacity_logits (M,); colours (M, 3), the harmonic of degree 0
    alone, so that a turn of the body against the head rotates no harmonics. weights (M,) in [0, 1]:
    how far each follows the head (network/skinning.py), 0 on chest and shoulders, 1 at the
    skull."""

    means: Float32
    log_scales: Float32
    quats: Float32
    opacity_logits: Float32
    colours: Float32
    weights: Float32

    def __len__(self) -> int:
        return len(self.means)

    def gaussians(self) -> Gaussians:
        """The Gaussians at the still pose, with harmonics of degree 3 that are zero above 0."""
        sh = np.zeros((len(self), SH_COEFFICIENTS, 3), np.float32)
        sh[:, 0] = self.colours
        return Gaussians(self.means, self.log_scales, self.quats, self.opacity_logits, sh)
