"""Structural similarity in training, in torch's own operations."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..metrics.pictures import C1, C2, TAPS, window


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Mean structural similarity (Wang 2004): Gaussian window of 11 pixels, sigma 1.5, over the
    windows inside the picture. a, b (H, W, 3); b receives no gradient. On a CPU numba/ssim.py
    computes it together with its gradient."""
    x, y = a.permute(2, 0, 1), b.detach().permute(2, 0, 1)
    mx, xx, xy = _means(torch.cat([x, x * x, x * y])).chunk(3)
    my, yy = _means(torch.cat([y, y * y])).chunk(2)
    above = (2 * mx * my + C1) * (2 * (xy - mx * my) + C2)
    below = (mx * mx + my * my + C1) * (xx - mx * mx + yy - my * my + C2)
    return (above / below).mean()


def _means(maps: Tensor) -> Tensor:
    """(M, H, W) -> (M, H - 10, W - 10): Gaussian means over the windows that lie inside.

    Matrix products, because on a GPU a convolution multiplies with ten bits by default (TF32), and
    SSIM subtracts almost equal means."""
    height, width = (_band(size, str(maps.device), maps.dtype) for size in maps.shape[1:])
    return height.T @ (maps @ width)


@lru_cache(maxsize=4)
def _band(size: int, device: str, dtype: torch.dtype) -> Tensor:
    """(size, size - 10): each column is the window, one row lower than the last."""
    line, band = window(), np.zeros((size, size - TAPS + 1))
    for column in range(band.shape[1]):
        band[column : column + TAPS, column] = line
    return torch.from_numpy(band).to(device, dtype)
