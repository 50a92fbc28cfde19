"""Adaptive density control of 3D Gaussian Splatting (Kerbl 2023), in the first stage only.

Where the loss has a large gradient with respect to a Gaussian's projected centre, a small Gaussian
is cloned and a large one split; Gaussians that are nearly transparent or too large are removed.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .head import FIELDS, Head
from .optimiser import Optimiser

TRANSPARENT = 0.005  # opacity, at or below which a Gaussian is removed
SPLIT_SHRINK = 1.6
LARGE = 0.02  # decimetres; a larger Gaussian is split, a smaller one cloned
HUGE = 0.3  # decimetres, from which a Gaussian is removed


class Density:
    """Sums up each Gaussian's gradient. pull (N,): norms of the gradient of its projected centre,
    per pixel. seen (N,): steps in which it was drawn. The names are those of the state file."""

    def __init__(self, count: int, device: str) -> None:
        self.pull = torch.zeros(count, device=device)
        self.seen = torch.zeros(count, device=device)

    def collect(self, probe: Tensor, radii: Tensor) -> None:
        """Add one step. probe (N, 2) has the centres' gradient; radii (N,) pixels, 0 if not
        drawn."""
        drawn = radii > 0
        if probe.grad is not None:
            self.pull += torch.where(drawn, probe.grad.norm(dim=1), 0)
        self.seen += drawn

    def adapt(self, head: Head, optimiser: Optimiser, limit: int, noise: Tensor) -> None:
        """Prune, and grow by a tenth to at most `limit` Gaussians, those with the largest mean
        gradient. noise (N, 3): standard normal, the direction in which the second half of a split
        Gaussian lies."""
        with torch.no_grad():
            c = head.canonical
            raw = head.raw()
            scales = raw.log_scales.exp()
            largest = scales.max(dim=1).values
            keep = (raw.opacity_logits.sigmoid() > TRANSPARENT) & (largest < HUGE)
            mean_pull = torch.where(keep, self.pull / self.seen.clamp(min=1), 0)
            room = min(limit - int(keep.sum()), len(head) // 10)
            grown = torch.zeros_like(keep)
            if room > 0:
                hardest = mean_pull.topk(min(room, len(head))).indices
                grown[hardest] = mean_pull[hardest] > 0
            split = grown & (largest > LARGE)
            stay = keep.nonzero()[:, 0]
            children = grown.nonzero()[:, 0]
            origin = torch.cat([stay, children])
            values = {f"canonical.{name}": c[name][origin].clone() for name in FIELDS}
            means, log_scales = values["canonical.means"], values["canonical.log_scales"]
            offset = rotated(c["quats"][children], noise[children] * scales[children])
            means[len(stay) :] += torch.where(split[children, None], offset, 0)
            of_split = split[origin]
            log_scales[of_split] -= float(torch.log(torch.tensor(SPLIT_SHRINK)))
            optimiser.resize(values, origin, len(children))
            self.pull = torch.zeros(len(origin), device=means.device)
            self.seen = torch.zeros(len(origin), device=means.device)


def rotated(quats: Tensor, vectors: Tensor) -> Tensor:
    """Vectors (M, 3) rotated by quaternions (M, 4), w first."""
    q = F.normalize(quats, dim=-1)
    w, axis = q[:, :1], q[:, 1:]
    twice = 2 * torch.cross(axis, vectors, dim=1)
    return vectors + w * twice + torch.cross(axis, twice, dim=1)
