"""Gaussians of other programs, which may be a little wrong: these write values that mean something
(an infinite logit is an opacity of 0 or 1) or leave a few damaged Gaussians."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import PlyError
from ..records.arrays import Float32
from ..records.gaussians import MAX_LOGIT, Gaussians, rows_of
from .cloud import Cloud
from .ply import finite_rows

MOST_BAD = 0.01  # share of the Gaussians that may be left out
FLAT = -23.0  # log-scale of a flat side: 1e-10
LARGEST = 1e6  # of a coordinate
LARGEST_LOG_SCALE = 14.0  # a Gaussian of that size
MOST = 1_000_000  # Gaussians of a still; the viewport holds four million in all


def mended(cloud: Cloud, path: Path) -> tuple[Gaussians, tuple[str, ...]]:
    """(Gaussians that are finite, of sensible size and not too many; notes of what was mended).
    PlyError if more than a few cannot be used; path: of the file, for the message. The cloud is
    read twice, block by block: memory holds what is kept, and a number for each of the others."""
    count = cloud.count
    weights = np.empty(count, np.float32)  # NaN for a Gaussian that cannot be used
    bounds = np.zeros(2, np.int64)
    for start, raw in cloud.blocks():
        block, bounded = _bounded(raw)
        bounds += bounded
        good = finite_rows(block) & _sensible(block)
        weights[start : start + len(block)] = np.where(good, _visibility(block), np.nan)
    notes = [
        f"{number} {what} were bounded"
        for number, what in zip(bounds, ("opacities of exactly 0 or 1", "flat sides"), strict=True)
        if number
    ]
    good = ~np.isnan(weights)
    kept = int(np.count_nonzero(good))
    if count - kept > MOST_BAD * count:
        raise PlyError(
            f"{path}: {count - kept} of {count} Gaussians are NaN, infinite or absurdly large; the "
            "training diverged or the file is damaged, take an earlier iteration"
        )
    if count > kept:
        notes.append(f"{count - kept} of {count} Gaussians are NaN or absurd and were left out")
    if kept > MOST:
        notes.append(f"{kept} Gaussians are too many for a still; the {MOST} most visible are kept")
        weights[~good] = -np.inf
        most = np.argpartition(weights, -MOST)[-MOST:]
        good[:] = False
        good[most] = True
        kept = MOST
    return _gathered(cloud, good, kept), tuple(notes)


def _gathered(cloud: Cloud, wanted: NDArray[np.bool_], count: int) -> Gaussians:
    """Those of the cloud's Gaussians, bounded, in their order."""
    out: Gaussians | None = None
    place = 0
    for start, raw in cloud.blocks():
        rows = np.flatnonzero(wanted[start : start + len(raw)])
        block = rows_of(_bounded(raw)[0], rows)
        if out is None:
            shapes = (values.shape[1:] for values in vars(block).values())
            out = Gaussians(*(np.empty((count, *shape), np.float32) for shape in shapes))
        for whole, part in zip(vars(out).values(), vars(block).values(), strict=True):
            whole[place : place + len(rows)] = part
        place += len(rows)
    assert out is not None  # readers give at least one Gaussian
    return out


def _bounded(gaussians: Gaussians) -> tuple[Gaussians, tuple[int, int]]:
    """Infinite logits and scales of 0 as large finite numbers, and how many there were."""
    logits, scales = gaussians.opacity_logits, gaussians.log_scales
    bounded = Gaussians(
        gaussians.means,
        np.where(np.isneginf(scales), np.float32(FLAT), scales),
        gaussians.quats,
        np.where(np.isinf(logits), np.copysign(np.float32(MAX_LOGIT), logits), logits),
        gaussians.sh,
    )
    return bounded, (int(np.isinf(logits).sum()), int(np.isneginf(scales).sum()))


def _sensible(gaussians: Gaussians) -> NDArray[np.bool_]:
    near = np.abs(gaussians.means).max(axis=1) < LARGEST
    small: NDArray[np.bool_] = gaussians.log_scales.max(axis=1) < LARGEST_LOG_SCALE
    return near & small


def _visibility(gaussians: Gaussians) -> Float32:
    """(N,) the logarithm of opacity times area."""
    with np.errstate(over="ignore", invalid="ignore"):  # of Gaussians that are left out
        opacities = 1 / (1 + np.exp(-gaussians.opacity_logits))
        area = gaussians.log_scales.sum(axis=1) - gaussians.log_scales.min(axis=1)
        weight: Float32 = np.log(np.maximum(opacities, 1e-12)) + area
    return weight
