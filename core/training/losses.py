"""Losses of pictures. Pictures are (H, W, 3) float32, sRGB-encoded, 0..1."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..dataset.clip import Box
from ..metrics.lpips_torch import Lpips
from ..metrics.lpips_weights import find_weights
from ..metrics.pictures import C1, C2
from .config import Losses
from .job import TrainJob
from .numba.blur import SIDE, means

# Perceptual distance of two pictures (H, W, 3): a scalar with a gradient to the first.
Perceptual = Callable[[Tensor, Tensor], Tensor]


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Mean structural similarity (Wang 2004): Gaussian window of 11 pixels, sigma 1.5, over the
    windows inside the picture. b receives no gradient."""
    x, y = a.permute(2, 0, 1), b.detach().permute(2, 0, 1)
    mx, xx, xy = means(torch.cat([x, x * x, x * y])).chunk(3)
    my, yy = means(torch.cat([y, y * y])).chunk(2)
    above = (2 * mx * my + C1) * (2 * (xy - mx * my) + C2)
    below = (mx * mx + my * my + C1) * (xx - mx * mx + yy - my * my + C2)
    return (above / below).mean()


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
    error = picture - target
    loss = weights.l1 * error.abs().mean()
    if weights.square:
        loss = loss + weights.square * (error * error).mean()
    if weights.ssim and min(picture.shape[:2]) >= SIDE:
        loss = loss + weights.ssim * (1 - ssim(picture, target))
    if weights.lips and lips is not None:
        y0, y1, x0, x1 = lips
        loss = loss + weights.lips * error[y0:y1, x0:x1].abs().mean()
    if weights.mask:
        loss = loss + weights.mask * (alpha - head).abs().mean()
    if perceptual is not None:
        loss = loss + weights.perceptual * perceptual(picture, target)
    return loss


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
