"""Losses of pictures. Pictures are (H, W, 3) float32, sRGB-encoded, 0..1."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from ..dataset.clip import Box
from ..metrics.lpips_torch import Lpips
from ..metrics.lpips_weights import find_weights
from ..metrics.pictures import TAPS
from .config import Losses
from .job import TrainJob
from .ssim import ssim

# Perceptual distance of two pictures (H, W, 3): a scalar with a gradient to the first.
Perceptual = Callable[[Tensor, Tensor], Tensor]


def picture_loss(
    picture: Tensor,
    target: Tensor,
    alpha: Tensor,
    head: Tensor,
    lips: Box | None,
    weights: Losses,
    perceptual: Perceptual | None = None,
) -> Tensor:
    """The weighted sum of all losses of one picture. picture: rendered over the frame's background.
    target: the true frame. alpha (H, W): of the head's Gaussians. head (H, W): float mask. lips:
    box in pixels of these pictures."""
    if fused(picture):
        own = (weights.l1, weights.ssim, weights.square, weights.lips, weights.mask)
        loss: Tensor = _PictureLoss.apply(picture, alpha, target, head, lips, own)
    else:
        loss = plain(picture, target, alpha, head, lips, weights)
    if perceptual is not None:
        loss = loss + weights.perceptual * perceptual(picture, target)
    return loss


def fused(picture: Tensor) -> bool:
    """True if numba's kernels compute the losses: on a CPU, in float32."""
    fits = picture.device.type == "cpu" and picture.dtype == torch.float32
    return fits and find_spec("numba") is not None


def plain(
    picture: Tensor,
    target: Tensor,
    alpha: Tensor,
    head: Tensor,
    lips: Box | None,
    weights: Losses,
) -> Tensor:
    """`picture_loss` in torch's own operations, without the perceptual loss."""
    error = picture - target
    loss = weights.l1 * error.abs().mean()
    if weights.square:
        loss = loss + weights.square * (error * error).mean()
    if weights.ssim and min(picture.shape[:2]) >= TAPS:
        loss = loss + weights.ssim * (1 - ssim(picture, target))
    if weights.lips and lips is not None:
        y0, y1, x0, x1 = lips
        loss = loss + weights.lips * error[y0:y1, x0:x1].abs().mean()
    if weights.mask:
        loss = loss + weights.mask * (alpha - head).abs().mean()
    return loss


class _PictureLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        picture: Tensor,
        alpha: Tensor,
        target: Tensor,
        head: Tensor,
        lips: Box | None,
        weights: tuple[float, float, float, float, float],
    ) -> Tensor:
        from .numba.pictures import loss_and_slopes

        one, true, covered, wanted = (
            value.detach().contiguous().numpy() for value in (picture, target, alpha, head)
        )
        loss, *slopes = loss_and_slopes(one, true, covered, wanted, lips, weights)
        ctx.slopes = [torch.from_numpy(slope) for slope in slopes]
        return picture.new_tensor(loss)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        of_picture, of_alpha = (own * slope for own in ctx.slopes)
        return of_picture, of_alpha, None, None, None, None


def psnr(picture: Tensor, target: Tensor) -> float:
    """dB, of pictures clipped to 0..1."""
    error = (picture.clamp(0, 1) - target).square().mean()
    return float(-10 * torch.log10(error.clamp(min=1e-12)))


def perceptual_loss(job: TrainJob) -> Perceptual | None:
    """LPIPS, or None if the job gives it no weight. MissingPackageError if its network weights are
    not installed, InputError if the given file does not contain them."""
    if not job.config.losses.perceptual:
        return None
    return Lpips(find_weights(job.lpips), job.device).distance
