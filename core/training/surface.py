"""The prior of a head's depth: its Gaussians lie near the surface of the dataset's first points,
and flat on it.

A head that turns by a few degrees tells little of depth: without a prior the Gaussians become a fog
that looks right from the front alone, and falls apart when the head turns further than in the film;
and those at the temples, seen at a flat angle, become dots with gaps between them.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..dataset.landmarks import MOUTH
from ..network.torch.network import RawTensors
from ..records.arrays import Float64
from .density import rotated

NEIGHBOURS = 16  # points that give the surface's slant
LOOSE = 0.03  # decimetres from the surface that cost nothing
BEYOND = 0.15  # decimetres beside the last point, where the surface ends: some have no hair
THIN = 1.0  # weight of a Gaussian's thickness, against that of its distance
EVERY = 4  # steps, between two that look for the surface


class Surface:
    """The planes through the first points (P, 3), decimetres, on one device. landmarks (68, 3):
    their mean places, if they are known. Behind the mouth there is no surface."""

    def __init__(self, points: Float64, device: str, landmarks: Float64 | None = None) -> None:
        from scipy.spatial import cKDTree

        self._tree = cKDTree(points)
        near = points[self._tree.query(points, k=min(NEIGHBOURS, len(points)))[1]]
        middles = near.mean(1)
        apart = near - middles[:, None]
        normals = np.linalg.eigh(np.einsum("pki,pkj->pij", apart, apart))[1][..., 0]
        self._middles = torch.tensor(middles, dtype=torch.float32, device=device)
        self._normals = torch.tensor(normals, dtype=torch.float32, device=device)
        self._mouth = None
        if landmarks is not None:
            mouth = landmarks[MOUTH, :2]
            box = np.stack([mouth.min(axis=0), mouth.max(axis=0)])
            self._mouth = torch.tensor(box, dtype=torch.float32, device=device)

    def loss(self, raw: RawTensors) -> Tensor:
        """Mean over N Gaussians of the distance of their means from the plane through the nearest
        first points, beyond LOOSE, and of THIN times their thickness, their standard deviation
        across the plane; decimetres, a scalar. Beside the surface's end and behind the mouth both
        are zero."""
        places = raw.means.detach().cpu().numpy()
        nearest = torch.from_numpy(self._tree.query(places)[1]).to(raw.means.device)
        apart, normals = raw.means - self._middles[nearest], self._normals[nearest]
        off = (apart * normals).sum(1)
        free = apart.square().sum(1) - off.square() > BEYOND**2
        if self._mouth is not None:
            low, high = self._mouth
            place = raw.means.detach()[:, :2]
            free |= ((place > low) & (place < high)).all(1) & (apart[:, 2] < 0)
        own = rotated(raw.quats * raw.quats.new_tensor([1, -1, -1, -1]), normals)
        thickness = (own * raw.log_scales.exp()).norm(dim=1)
        loss = (off.abs() - LOOSE).clamp(min=0) + THIN * thickness
        return loss.masked_fill(free, 0).mean()
