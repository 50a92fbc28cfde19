"""gsplat's own `rasterization` on a CPU: its torch reference replaces its CUDA kernels.

The function's checks of its arguments, and its use of them, are gsplat's own. Only the blending
of its reference is rewritten, because gsplat's needs nerfacc and a kernel.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

MAX_ALPHA, MIN_ALPHA, MIN_TRANSMITTANCE = 0.999, 1 / 255, 1e-4  # gsplat's own


def on_cpu(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """gsplat, until the test ends; the test is skipped where it is not installed."""
    package = pytest.importorskip("gsplat", reason="gsplat is not installed")
    from gsplat import rendering
    from gsplat.cuda import _torch_impl

    monkeypatch.setattr(rendering, "fully_fused_projection", _project)
    monkeypatch.setattr(rendering, "isect_tiles", _isect_tiles)
    monkeypatch.setattr(rendering, "isect_offset_encode", _torch_impl._isect_offset_encode)
    monkeypatch.setattr(rendering, "rasterize_to_pixels", _blend)
    return package


def _isect_tiles(*given: Any, **_: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Sorted as the kernel's radix sort does it: equal depths keep the order of the Gaussians."""
    from gsplat.cuda import _torch_impl

    plain = (value.detach() if torch.is_tensor(value) else value for value in given)
    counts, ids, source = _torch_impl._isect_tiles(*plain, sort=False)
    ids, order = torch.sort(ids, stable=True)
    return counts, ids, source[order]


def _project(
    means: Tensor,
    covars: Tensor | None,
    quats: Tensor,
    scales: Tensor,
    viewmats: Tensor,
    Ks: Tensor,  # noqa: N803  # gsplat's name
    width: int,
    height: int,
    eps2d: float,
    packed: bool,
    near_plane: float,
    far_plane: float,
    radius_clip: float,
    sparse_grad: bool,
    calc_compensations: bool,
    camera_model: str,
    opacities: Tensor,
) -> tuple[Tensor, ...]:
    """The reference knows no packing and no radius by opacity; the kernel's is smaller or equal."""
    from gsplat.cuda import _torch_impl

    assert covars is None and not packed and not sparse_grad and radius_clip == 0
    covariances, _ = _torch_impl._quat_scale_to_covar_preci(quats, scales, compute_preci=False)
    size = (width, height, eps2d, near_plane, far_plane, calc_compensations, camera_model)
    projected: tuple[Tensor, ...] = _torch_impl._fully_fused_projection(
        means, covariances, viewmats, Ks, *size
    )
    return projected


def _blend(
    means2d: Tensor,
    conics: Tensor,
    colors: Tensor,
    opacities: Tensor,
    image_width: int,
    image_height: int,
    tile_size: int,
    isect_offsets: Tensor,
    flatten_ids: Tensor,
    backgrounds: Tensor | None = None,
    packed: bool = False,
    absgrad: bool = False,
) -> tuple[Tensor, Tensor]:
    """means2d (..., N, 2) and so on -> colours (..., H, W, 3), alphas (..., H, W, 1); as the kernel
    rasterize_to_pixels_3dgs_fwd of gsplat 1.5.3, tile by tile."""
    assert backgrounds is None and not packed and not absgrad
    images, channels = means2d.shape[:-2], colors.shape[-1]
    means2d, conics = means2d.reshape(-1, 2), conics.reshape(-1, 3)
    colors, opacities = colors.reshape(-1, channels), opacities.reshape(-1)
    rows, columns = isect_offsets.shape[-2:]
    starts = isect_offsets.reshape(-1).tolist()
    ends = [*starts[1:], len(flatten_ids)]
    pictures = []
    for first in range(0, len(starts), rows * columns):
        tiles = []
        for tile in range(rows * columns):
            ids = flatten_ids[starts[first + tile] : ends[first + tile]].long()
            y, x = torch.meshgrid(torch.arange(tile_size), torch.arange(tile_size), indexing="ij")
            corner = torch.tensor([tile % columns, tile // columns]) * tile_size
            pixels = torch.stack([x, y], dim=-1).reshape(-1, 1, 2) + corner + 0.5
            values = torch.cat([colors[ids], torch.ones(len(ids), 1)], dim=1)
            tiles.append(_weights(means2d[ids], conics[ids], opacities[ids], pixels) @ values)
        whole = torch.stack(tiles).reshape(rows, columns, tile_size, tile_size, channels + 1)
        whole = whole.transpose(1, 2).reshape(rows * tile_size, columns * tile_size, channels + 1)
        pictures.append(whole[:image_height, :image_width])
    drawn = torch.stack(pictures).reshape(*images, image_height, image_width, channels + 1)
    return drawn[..., :channels], drawn[..., channels:]


def _weights(means2d: Tensor, conics: Tensor, opacities: Tensor, pixels: Tensor) -> Tensor:
    """Of M Gaussians, nearest first, at P pixels (P, 1, 2): (P, M)."""
    dx, dy = (pixels - means2d).unbind(-1)
    a, b, c = conics.unbind(-1)
    sigma = 0.5 * (a * dx * dx + c * dy * dy) + b * dx * dy
    alpha = (opacities * torch.exp(-sigma)).clamp(max=MAX_ALPHA)
    alpha = torch.where((sigma >= 0) & (alpha >= MIN_ALPHA), alpha, 0)
    after = torch.cumprod(1 - alpha, dim=1)
    before = torch.cat([torch.ones(len(pixels), 1), after[:, :-1]], dim=1)
    return torch.where(after > MIN_TRANSMITTANCE, alpha * before, 0)
