"""Reads .splat: 32 bytes a Gaussian, without a header and without harmonics.

Position and scale, three float32 each; red, green, blue, opacity, one byte each; the quaternion
w, x, y, z, one byte each, of which 128 is 0 (github.com/antimatter15/splat, README)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import PlyError
from ..records.arrays import Float32
from ..records.gaussians import C0, SH_COEFFICIENTS, Gaussians
from ..system.files import read_bounded
from .cloud import Cloud
from .stand_ins import stand_in

MAX_FILE = 2**30  # bytes; 32 million Gaussians
ROW = np.dtype([("mean", "<f4", 3), ("scale", "<f4", 3), ("colour", "u1", 4), ("quat", "u1", 4)])


def read_splat(path: Path) -> Cloud:
    """Opacities of 0 and 1 become infinite logits, scales of 0 infinite logarithms: see
    `mended.py`. PlyError if the file is not one."""
    data = read_bounded(path, PlyError, MAX_FILE)
    other = stand_in(data[:512])
    if other:
        raise PlyError(f"{path} {other}")
    if len(data) % ROW.itemsize:
        raise PlyError(
            f"{path}: {len(data)} bytes are no whole number of Gaussians of {ROW.itemsize} bytes; "
            "it is cut off or no .splat file, copy it again"
        )
    rows = np.frombuffer(data, ROW)
    return Cloud(len(rows), lambda start, stop: _gaussians(rows[start:stop]))


def _gaussians(rows: NDArray[Any]) -> Gaussians:
    sh = np.zeros((len(rows), SH_COEFFICIENTS, 3), np.float32)
    colours = rows["colour"].astype(np.float32) / 255
    sh[:, 0] = (colours[:, :3] - 0.5) / C0
    with np.errstate(divide="ignore", invalid="ignore"):
        log_scales = np.log(rows["scale"].astype(np.float32))
    return Gaussians(
        means=np.array(rows["mean"]),
        log_scales=log_scales,
        quats=(rows["quat"] / 128 - 1).astype(np.float32),
        opacity_logits=logits_of(colours[:, 3]),
        sh=sh,
    )


def logits_of(opacities: NDArray[np.floating]) -> Float32:
    """Infinite for 0 and 1."""
    with np.errstate(divide="ignore"):
        return (np.log(opacities) - np.log1p(-opacities)).astype(np.float32)
