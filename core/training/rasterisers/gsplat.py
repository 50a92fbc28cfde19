"""The differentiable rasteriser for CUDA: gsplat with this program's arguments."""

from __future__ import annotations

import torch
from torch import Tensor

from ...records.camera import Camera
from ...render.cuda.gsplat_drawer import arguments
from ...render.cuda.scene import Scene
from ...render.cuda.views import view_table
from .record import Rendered, SplatTensors, check


def splat(
    splats: SplatTensors, camera: Camera, sh_degree: int, probe: Tensor | None = None
) -> Rendered:
    """A `Splatter` on CUDA: a batch of one frame. The values of the probe are not read. Radii are
    gsplat's own: 0 for a Gaussian that does not reach 1/255 in the picture."""
    import gsplat

    check(splats, sh_degree, probe)
    means, size = splats.means, (camera.width, camera.height)
    if len(means) == 0:
        shape = size[::-1]
        return Rendered(means.new_zeros(*shape, 3), means.new_zeros(shape), means.new_zeros(0))
    means, quats, scales, opacities, sh = (values[None] for values in splats)
    scene = Scene(means, quats, scales, opacities, sh, raw=False)
    views = torch.from_numpy(view_table([camera])).to(means.device)
    rgb, alpha, meta = gsplat.rasterization(**arguments(scene, views, size, sh_degree))
    if probe is not None and probe.requires_grad:
        _add_gradient(probe, meta["means2d"])
    radii = meta["radii"].detach()[0, 0].float()
    if radii.ndim == 2:  # since gsplat 1.5 one for each axis
        radii = radii.amax(dim=1)
    return Rendered(rgb[0, 0], alpha[0, 0, ..., 0], radii)


def _add_gradient(probe: Tensor, centres: Tensor) -> None:
    """Add the gradient of the projected centres (1, 1, N, 2), in pixels, to the probe's. A hook
    does it, because gsplat projects and draws in one call that takes no probe. (torch.autograd.grad
    does not see the probe; backward does.)"""

    def take(slope: Tensor) -> None:
        own = slope.detach().reshape(probe.shape)
        probe.grad = own.clone() if probe.grad is None else probe.grad + own

    if centres.requires_grad:
        centres.register_hook(take)
