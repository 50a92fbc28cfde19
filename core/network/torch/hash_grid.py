"""The hashed tri-plane of numpy/hash_grid.py in torch, differentiable."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..numpy.hash_grid import PLANES, Level, levels_of, rows_at


def features(table: Tensor, levels: Tensor, points: Tensor) -> Tensor:
    """table (R, F), levels (L, 2), points (N, 3) in [-1, 1] -> (N, L * F), by numba's kernels on
    a CPU, by `plain` elsewhere."""
    found = levels_of(levels.detach().cpu().numpy())
    if table.device.type == "cpu" and find_spec("numba") is not None:
        out: Tensor = _Features.apply(points.contiguous(), table, found)
        return out
    return plain(table, found, points)


def plain(table: Tensor, levels: list[Level], points: Tensor) -> Tensor:
    """`features` in torch's own operations."""
    return torch.cat([_product(table, level, points) for level in levels], dim=1)


def _product(table: Tensor, level: Level, points: Tensor) -> Tensor:
    """(N, F) of one level."""
    out: Tensor | None = None
    for plane, (a, b) in enumerate(PLANES):
        begin = level.first + plane * level.rows
        sample = _sample(table[begin : begin + level.rows], level, points[:, a], points[:, b])
        out = sample if out is None else out * sample
    assert out is not None
    return out


def _sample(rows: Tensor, level: Level, u: Tensor, v: Tensor) -> Tensor:
    """rows (level.rows, F); u, v (N,) -> (N, F), bilinear."""
    last = level.side - 1
    x, y = (((w + 1) * (last / 2)).clamp(0, last) for w in (u, v))
    x0, y0 = x.detach().floor().long(), y.detach().floor().long()
    x1, y1 = (x0 + 1).clamp(max=last), (y0 + 1).clamp(max=last)
    wx, wy = x - x0, y - y0
    at = [rows_at(i, j, level) for j in (y0, y1) for i in (x0, x1)]
    shares = [(1 - wx) * (1 - wy), wx * (1 - wy), (1 - wx) * wy, wx * wy]
    return F.embedding_bag(
        torch.stack(at, dim=1), rows, per_sample_weights=torch.stack(shares, dim=1), mode="sum"
    )


class _Features(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, table: Tensor, levels: list[Level]) -> Tensor:
        from ..numba.hash_grid import features as fast

        ctx.save_for_backward(points, table)
        ctx.levels = levels
        return torch.from_numpy(fast(points.detach().numpy(), table.detach().numpy(), levels))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor, Tensor, None]:
        from ..numba.hash_grid import gradients

        points, table = (value.detach().numpy() for value in ctx.saved_tensors)
        found = gradients(points, table, ctx.levels, slopes.contiguous().numpy())
        return torch.from_numpy(found[0]), torch.from_numpy(found[1]), None
