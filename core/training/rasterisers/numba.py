"""The fast differentiable rasteriser for the CPU: numba's kernels as one function of torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...records.camera import Camera
from ...render.numba.passes import backwards, forwards
from ...render.numba.projected import Inputs
from ...system.machine import available_cores
from .record import Rendered, SplatTensors, check


def splat(
    splats: SplatTensors,
    camera: Camera,
    sh_degree: int,
    probe: Tensor | None = None,
    *,
    threads: int | None = None,
) -> Rendered:
    """A `Splatter`, on the CPU. threads: None for the number of cores; no bit depends on it. The
    values of the probe are not read."""
    check(splats, sh_degree, probe)
    workers = threads or available_cores()
    colour, alpha, radii = _Splat.apply(*splats, probe, camera, sh_degree, workers)
    return Rendered(colour, alpha, radii)


class _Splat(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        means: Tensor,
        quats: Tensor,
        scales: Tensor,
        opacities: Tensor,
        sh: Tensor,
        probe: Tensor | None,
        camera: Camera,
        sh_degree: int,
        threads: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        tensors = (means, quats, scales, opacities, sh)
        drawn = forwards(_arrays(tensors), camera, sh_degree, threads)
        ctx.save_for_backward(*tensors)  # backward fails if one of them was modified since
        ctx.rest = camera, sh_degree, drawn, threads
        colour, radii = torch.from_numpy(drawn.colour), torch.from_numpy(drawn.radii)
        ctx.mark_non_differentiable(radii)
        # Copies: the caller may change the picture, but backward needs it unchanged.
        return colour.clone(), 1 - torch.from_numpy(drawn.left), radii

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, colour_slope: Tensor, alpha_slope: Tensor, _: Any) -> tuple[Any, ...]:
        camera, sh_degree, drawn, threads = ctx.rest
        slopes = backwards(
            _arrays(ctx.saved_tensors),
            camera,
            sh_degree,
            drawn,
            _array(colour_slope),
            _array(alpha_slope),
            threads,
        )
        wanted = zip(slopes, ctx.needs_input_grad, strict=False)  # the probe may be absent
        found = (torch.from_numpy(slope) if needed else None for slope, needed in wanted)
        return (*found, None, None, None)


def _arrays(tensors: tuple[Tensor, ...]) -> Inputs:
    means, quats, scales, opacities, sh = (_array(tensor) for tensor in tensors)
    return means, quats, scales, opacities, sh


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()
