"""The perceptual loss, where its weights can be had."""

from __future__ import annotations

from ..metrics.lpips_torch import Lpips
from ..metrics.lpips_weights import find_weights
from .job import TrainJob
from .losses import Perceptual


def perceptual_of(job: TrainJob) -> Perceptual | None:
    """LPIPS, None where the losses give it no weight. MissingPackageError where its weights are not
    at hand, InputError where the given ones are none."""
    if not job.config.losses.perceptual:
        return None
    return Lpips(find_weights(job.lpips), job.device).distance
