"""Gaussian means of picture maps and their gradient: numba on a CPU, torch's products elsewhere.

torch's convolution would take most of a training step on a CPU, mainly in the backward pass.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...metrics.pictures import window
from ...records.arrays import Float32
from ...system.machine import available_cores
from ...system.numba_setup import compiled
from ...system.threads import for_each

SIDE = 11  # = TAPS of the window, here because the cache key covers this file


def weights() -> Float32:
    """(11,) of the window along one axis."""
    return window().astype(np.float32)


def means(maps: Tensor) -> Tensor:
    """(M, H, W) float32 -> (M, H - 10, W - 10): means over the windows that lie inside."""
    if maps.device.type == "cpu" and maps.dtype == torch.float32:
        return _Means.apply(maps)
    # Matrix products, because on a GPU a convolution multiplies with ten bits by default (TF32),
    # and SSIM subtracts almost equal means.
    height, width = (_band(size, str(maps.device), maps.dtype) for size in maps.shape[1:])
    return height.T @ (maps @ width)


@lru_cache(maxsize=4)
def _band(size: int, device: str, dtype: torch.dtype) -> Tensor:
    """(size, size - 10): each column is the window, one row lower than the last."""
    line, band = weights(), np.zeros((size, size - SIDE + 1), np.float32)
    for column in range(band.shape[1]):
        band[column : column + SIDE, column] = line
    return torch.from_numpy(band).to(device, dtype)


class _Means(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, maps: Tensor) -> Tensor:
        return torch.from_numpy(_means(maps.detach().contiguous().numpy()))

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        """Each gradient spreads over its window as in `forward`; the window is symmetric."""
        margin = (SIDE - 1, SIDE - 1)
        return torch.from_numpy(_means(np.pad(gradients[0].numpy(), ((0, 0), margin, margin))))


def _means(values: Float32) -> Float32:
    count, height, width = values.shape
    out = np.empty((count, height - SIDE + 1, width - SIDE + 1), np.float32)
    line = weights()
    for_each(lambda i: _blur(values[i], line, out[i]), range(count), available_cores())
    return out


@compiled
def _blur(values: Float32, line: Float32, out: Float32) -> None:
    height, width = out.shape
    row = np.empty(values.shape[1], np.float32)
    for y in range(height):
        for x in range(values.shape[1]):
            row[x] = line[0] * values[y, x]
        for k in range(1, SIDE):
            for x in range(values.shape[1]):
                row[x] += line[k] * values[y + k, x]
        for x in range(width):
            out[y, x] = line[0] * row[x]
        for k in range(1, SIDE):
            for x in range(width):
                out[y, x] += line[k] * row[x + k]
