"""Gaussians of other programs, which may be a little wrong: these write values that mean something
(an infinite logit is an opacity of 0 or 1) or leave a few damaged Gaussians."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import PlyError
from ..records.gaussians import MAX_LOGIT, Gaussians, rows_of
from .ply import finite_rows

MOST_BAD = 0.01  # share of the Gaussians that may be left out
FLAT = -23.0  # log-scale of a flat side: 1e-10
LARGEST = 1e6  # of a coordinate
LARGEST_LOG_SCALE = 14.0  # a Gaussian of that size
MOST = 1_000_000  # Gaussians of a still; the viewport holds four million in all


def mended(gaussians: Gaussians, path: Path) -> tuple[Gaussians, tuple[str, ...]]:
    """(Gaussians that are finite, of sensible size and not too many; notes of what was mended).
    PlyError if more than a few cannot be used; path: of the file, for the message."""
    gaussians, notes = _bounded(gaussians)
    count = len(gaussians)
    good = finite_rows(gaussians) & _sensible(gaussians)
    bad = count - int(np.count_nonzero(good))
    if bad > MOST_BAD * count:
        raise PlyError(
            f"{path}: {bad} of {count} Gaussians are NaN, infinite or absurdly large; the training "
            "diverged or the file is damaged, take an earlier iteration"
        )
    if bad:
        gaussians = rows_of(gaussians, np.flatnonzero(good))
        notes.append(f"{bad} of {count} Gaussians are NaN or absurd and were left out")
    if len(gaussians) > MOST:
        notes.append(
            f"{len(gaussians)} Gaussians are too many for a still; the {MOST} most visible are kept"
        )
        gaussians = rows_of(gaussians, _most_visible(gaussians, MOST))
    return gaussians, tuple(notes)


def _bounded(gaussians: Gaussians) -> tuple[Gaussians, list[str]]:
    """Infinite logits and scales of 0 as large finite numbers."""
    logits, scales = gaussians.opacity_logits, gaussians.log_scales
    notes = []
    for what, count in (
        ("opacities of exactly 0 or 1", np.isinf(logits).sum()),
        ("flat sides", np.isneginf(scales).sum()),
    ):
        if count:
            notes.append(f"{count} {what} were bounded")
    bounded = Gaussians(
        gaussians.means,
        np.where(np.isneginf(scales), np.float32(FLAT), scales),
        gaussians.quats,
        np.where(np.isinf(logits), np.copysign(np.float32(MAX_LOGIT), logits), logits),
        gaussians.sh,
    )
    return bounded, notes


def _sensible(gaussians: Gaussians) -> NDArray[np.bool_]:
    near = np.abs(gaussians.means).max(axis=1) < LARGEST
    small: NDArray[np.bool_] = gaussians.log_scales.max(axis=1) < LARGEST_LOG_SCALE
    return near & small


def _most_visible(gaussians: Gaussians, most: int) -> NDArray[np.int64]:
    """The rows of largest opacity times area, in their order."""
    with np.errstate(over="ignore"):
        opacities = 1 / (1 + np.exp(-gaussians.opacity_logits))
    area = gaussians.log_scales.sum(axis=1) - gaussians.log_scales.min(axis=1)
    weight = np.log(np.maximum(opacities, 1e-12)) + area
    return np.sort(np.argpartition(weight, -most)[-most:]).astype(np.int64)
