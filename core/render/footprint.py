"""Splats for renderers that draw Gaussians as they are, without a low-pass filter of a pixel.

Every rasteriser of ours adds DILATION square pixels to both variances of an ellipse (docs/method.md
§3.11), and trainings count on it: a Gaussian thinner than a pixel is drawn a pixel wide. Blender
draws it thin. Added to all three variances in space, DILATION squares of the pixel's width at the
Gaussian give the same ellipse: exactly so on the camera's axis, a little wider towards the edges,
where 1 / cos(angle)^2 of it is seen along the radius.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..records.arrays import Float64
from ..records.camera import Camera
from ..records.gaussians import Splats
from .rasteriser import DILATION

# Width of a pixel in decimetres, as an affine function of the place in the head's frame:
# (4,) float64, x, y, z and constant. It is not positive at and behind the camera.
PixelWidth = Float64


def perspective_pixel(camera: Camera) -> PixelWidth:
    """Depth over focal length; of oblong pixels, the side of a square of the same area."""
    return np.asarray(camera.viewmat[2] / np.sqrt(camera.fx * camera.fy), np.float64)


def orthographic_pixel(width: float) -> PixelWidth:
    """width: decimetres, the same everywhere."""
    return np.array([0.0, 0.0, 0.0, width])


def dilated(splats: Splats, pixel: PixelWidth) -> Splats:
    """Only the scales differ; Gaussians behind the camera keep theirs."""
    width = splats.means @ pixel[:3].astype(np.float32) + np.float32(pixel[3])
    added = np.float32(DILATION) * np.square(np.maximum(width, 0))
    return replace(splats, scales=np.sqrt(np.square(splats.scales) + added[:, None]))
