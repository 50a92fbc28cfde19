"""Batches of frames through gsplat, set to the official rules as far as its options allow.

One difference remains (docs/method.md §8.1): the footprint of a Gaussian ends where alpha falls
below 1/255 or at 3.33 standard deviations instead of at the edge of whole tiles. On a trained
avatar that is 91 dB from the official picture; the greatest difference seen is 2.4/255.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..rasteriser import DILATION, EMPTY, MAX_ALPHA, NEAR, TILE
from ..sh import terms
from .drawer import Drawn
from .scene import Scene, to_bytes
from .views import CENTRE, COLOUR_GAIN, LENS, OPACITY, VIEWMAT


class GsplatDrawer:
    """A `Drawer`. gsplat makes its own list of pairs, and waits for the device once per batch to
    learn its length. Call gsplat.load first."""

    def draw(
        self,
        scene: Scene,
        views: Tensor,
        size: tuple[int, int],
        background: Tensor | None = None,
        sh_degree: int = 3,
        in_bytes: bool = False,
        with_depth: bool = False,
    ) -> Drawn:
        import gsplat

        device, (width, height) = views.device, size
        if scene.means.shape[1] == 0:
            rgb = torch.zeros(len(views), height, width, 3 + with_depth, device=device)
            alpha = rgb[..., :1]
        else:
            with torch.no_grad():
                given = arguments(scene, views, size, sh_degree)
                if with_depth:  # the expected depth: divided by alpha
                    given["render_mode"] = "RGB+ED"
                rgb, alpha, _ = gsplat.rasterization(**given)
            rgb, alpha = rgb[:, 0], alpha[:, 0]  # one camera a frame
        depths = None
        if with_depth:
            depths = torch.where(alpha[..., 0] > 0, rgb[..., 3], EMPTY)
            rgb = rgb[..., :3]
        if background is not None:  # a background per pixel: gsplat's own is one colour
            rgb, alpha = rgb + (1 - alpha) * background, torch.ones_like(alpha)
        pictures = torch.cat([rgb, alpha], dim=-1)
        broken = (~torch.isfinite(pictures)).flatten(1).any(dim=1).int()
        pairs = torch.zeros((), dtype=torch.int64, device=device)
        found = to_bytes(pictures) if in_bytes else pictures
        return Drawn(found, broken, pairs, capacity=0, depths=depths)

    def learn(self, shape: tuple[int, ...], pairs: int) -> int:
        return 0


def arguments(scene: Scene, views: Tensor, size: tuple[int, int], sh_degree: int) -> dict[str, Any]:
    """Arguments of gsplat.rasterization for B frames with one camera each, both for drawing and for
    training. Inputs as `Drawer.draw` takes them; gradients pass to the scene.

    Colours are evaluated here and passed as (B, N, 3), because versions of gsplat disagree on the
    shape of coefficients. Opacities are limited to 0.99: 1.5.x caps alpha at 0.999, which lets one
    layer end a pixel that officially takes two.
    """
    frames = len(views)
    means, quats, scales, opacities, sh = (
        value.expand(frames, *value.shape[1:]) for value in scene.tensors
    )
    if scene.raw:
        scales, opacities = scales.exp(), opacities.sigmoid()
        quats = F.normalize(quats, dim=-1, eps=1e-12)
    factor, gain = views[:, OPACITY, None], views[:, COLOUR_GAIN, None, None]
    opacities = torch.where(factor == 1, opacities, (opacities * factor).clamp(0, 1))
    directions = F.normalize(means - views[:, None, CENTRE], dim=-1)
    x, y, z = directions.unbind(-1)
    basis = torch.stack(terms(x, y, z, sh_degree), dim=-1)
    colours = torch.einsum("bnk,bnkc->bnc", basis, sh[:, :, : basis.shape[-1]])
    viewmats = torch.zeros(frames, 1, 4, 4, device=views.device)
    viewmats[:, 0, :3] = views[:, VIEWMAT].reshape(frames, 3, 4)
    viewmats[:, 0, 3, 3] = 1
    lenses = torch.zeros(frames, 1, 3, 3, device=views.device)
    fx, fy, cx, cy = views[:, LENS].unbind(1)
    lenses[:, 0, 0, 0], lenses[:, 0, 1, 1], lenses[:, 0, 0, 2], lenses[:, 0, 1, 2] = fx, fy, cx, cy
    lenses[:, 0, 2, 2] = 1
    return {
        "means": means,
        "quats": quats,
        "scales": scales,
        # Limit only the value: a gradient must be able to bring it back below the limit.
        "opacities": opacities - (opacities - MAX_ALPHA).clamp(min=0).detach(),
        "colors": (gain * (colours + 0.5)).clamp(min=0),
        "viewmats": viewmats,
        "Ks": lenses,
        "width": size[0],
        "height": size[1],
        "near_plane": NEAR,
        "eps2d": DILATION,
        "sh_degree": None,
        "packed": False,  # the whole head is in view; packing would wait for the GPU once more
        "tile_size": TILE,
        "render_mode": "RGB",
        "rasterize_mode": "classic",
    }
