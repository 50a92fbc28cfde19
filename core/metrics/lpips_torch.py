"""LPIPS (Zhang et al. 2018) on AlexNet: how different two pictures look. Needs torch."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from .lpips_weights import LAYERS, Arrays

# Stride and padding of each convolution; which of them follow a 3 x 3 max-pooling of stride 2.
STRIDES, PADDINGS, POOLED = (4, 1, 1, 1, 1), (2, 2, 1, 1, 1), (1, 2)
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
SMALLEST = 31  # pixels a side; below it the last pooling has no input
EPSILON = 1e-10


class Lpips:
    """arrays: as lpips_weights.find_weights returns them."""

    def __init__(self, arrays: Arrays, device: str = "cpu") -> None:
        self._table = {name: torch.tensor(array, device=device) for name, array in arrays.items()}
        self._shift = torch.tensor(SHIFT, device=device).view(1, 3, 1, 1)
        self._scale = torch.tensor(SCALE, device=device).view(1, 3, 1, 1)
        self._device = device

    @torch.no_grad()
    def __call__(self, picture: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
        """The distance between two (H, W, 3) pictures in [0, 1]; 0 where they are equal. Both at
        least 31 pixels a side."""
        pair = (
            torch.from_numpy(np.asarray(values, np.float32)).to(self._device)
            for values in (picture, truth)
        )
        return float(self.distance(*pair))

    def distance(self, picture: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        """The distance between two tensors on the device, with a gradient: a loss."""
        batch = torch.stack([picture, truth]).permute(0, 3, 1, 2)
        total = batch.new_zeros(())
        for number, features in enumerate(
            self._features((2 * batch - 1 - self._shift) / self._scale)
        ):
            norm = (features.square().sum(1, keepdim=True) + EPSILON**2).sqrt()
            a, b = features / (norm + EPSILON)
            weights = self._table[f"lin{number}"].view(-1, 1, 1)
            total = total + ((a - b).square() * weights).sum(0).mean()
        return total

    def _features(self, x: torch.Tensor) -> list[torch.Tensor]:
        """(2, C, H, W) after each of the five convolutions."""
        out = []
        for number in range(len(LAYERS)):
            if number in POOLED:
                x = F.max_pool2d(x, 3, 2)
            weight, bias = self._table[f"conv{number}.weight"], self._table[f"conv{number}.bias"]
            x = F.relu(F.conv2d(x, weight, bias, STRIDES[number], PADDINGS[number]))
            out.append(x)
        return out
