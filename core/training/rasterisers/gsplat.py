"""The differentiable rasteriser for CUDA: gsplat, set to the official rules as in
render/cuda/gsplat_single.py, whose remarks on its arguments hold here, too."""

from __future__ import annotations

import torch
from torch import Tensor

from ...records.camera import Camera
from ...render.rasteriser import DILATION, MAX_ALPHA, NEAR, TILE
from ...render.sh import terms
from .record import Rendered, check


def splat(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    sh: Tensor,
    camera: Camera,
    sh_degree: int,
    probe: Tensor | None = None,
) -> Rendered:
    """A `Splatter`, on CUDA. The values of the probe are not read. Radii are gsplat's own: what it
    leaves out for not reaching 1/255 in the picture has 0."""
    import gsplat

    check(means, quats, scales, opacities, sh, sh_degree, probe)
    if len(means) == 0:
        size = (camera.height, camera.width)
        return Rendered(means.new_zeros(*size, 3), means.new_zeros(size), means.new_zeros(0))

    directions = torch.nn.functional.normalize(means - means.new_tensor(camera.centre), dim=-1)
    x, y, z = directions.unbind(-1)
    basis = torch.stack(terms(x, y, z, sh_degree), dim=-1)
    colours = torch.einsum("nk,nkc->nc", basis, sh[:, : basis.shape[1]]) + 0.5
    # Clamped as in render/cuda/gsplat_single.py, for the picture alone: nothing would draw an
    # opacity past the limit back under it.
    limited = opacities - (opacities - MAX_ALPHA).clamp(min=0).detach()
    rgb, alpha, meta = gsplat.rasterization(
        means=means,
        quats=quats,
        scales=scales,
        opacities=limited,
        colors=colours.clamp(min=0)[None],
        viewmats=means.new_tensor(camera.viewmat)[None],
        Ks=means.new_tensor(camera.K)[None],
        width=camera.width,
        height=camera.height,
        near_plane=NEAR,
        eps2d=DILATION,
        sh_degree=None,
        packed=False,
        tile_size=TILE,
        render_mode="RGB",
        rasterize_mode="classic",
    )
    if probe is not None and probe.requires_grad:
        _feed(probe, meta["means2d"])
    radii = meta["radii"].detach()[0].float()
    if radii.ndim == 2:  # since gsplat 1.5 one for each axis
        radii = radii.amax(dim=1)
    return Rendered(rgb[0], alpha[0, ..., 0], radii)


def _feed(probe: Tensor, centres: Tensor) -> None:
    """gsplat projects and draws in one call, with no place to add the probe to the projected
    centres [1, N, 2]: their gradient, in pixels, is added to the probe's by a hook when it passes.
    (So torch.autograd.grad does not know the probe; backward does.)"""

    def take(slope: Tensor) -> None:
        own = slope.detach().reshape(probe.shape)
        probe.grad = own.clone() if probe.grad is None else probe.grad + own

    if centres.requires_grad:
        centres.register_hook(take)
