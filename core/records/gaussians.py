"""The head as 3D Gaussians: canonical (as trained) and deformed (ready to rasterise)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

SH_COEFFICIENTS = 16  # degree 3
C0 = 0.28209479177387814  # the constant harmonic: a colour is 0.5 + C0 * sh[0]


@dataclass(frozen=True, eq=False)
class Gaussians:
    """Canonical Gaussians, raw values as the optimiser holds them (docs/method.md §3.8, §4).

    means (N, 3) in the head's frame, decimetres; log_scales (N, 3), natural logarithm;
    quats (N, 4) w, x, y, z, NOT normalised; opacity_logits (N,); sh (N, 16, 3), coefficient
    major, row 0 = DC. All float32. The order matters: ESAA takes its agents from the first rows.
    """

    means: Float32
    log_scales: Float32
    quats: Float32
    opacity_logits: Float32
    sh: Float32

    def __len__(self) -> int:
        return len(self.means)


@dataclass(frozen=True, eq=False)
class Splats:
    """Gaussians of one moment, activated: what every rasteriser and the viewport draw.

    means (N, 3) decimetres; quats (N, 4) w, x, y, z, unit length; scales (N, 3) decimetres, > 0;
    opacities (N,) in (0, 1); sh (N, 16, 3). All float32.
    """

    means: Float32
    quats: Float32
    scales: Float32
    opacities: Float32
    sh: Float32

    def __len__(self) -> int:
        return len(self.means)


Cloud = TypeVar("Cloud", Gaussians, Splats)


def rows_of(cloud: Cloud, rows: NDArray[np.int64]) -> Cloud:
    """Those rows alone, in that order."""
    return type(cloud)(*(values[rows] for values in vars(cloud).values()))


def with_rows(
    splats: Splats, rows: NDArray[np.int64], others: Splats, names: Iterable[str]
) -> Splats:
    """Splats, those rows of which are `others` in the fields `names`; all else is shared."""
    found = {}
    for name in names:
        found[name] = getattr(splats, name).copy()
        found[name][rows] = getattr(others, name)
    return replace(splats, **found)


def activate(gaussians: Gaussians) -> Splats:
    """exp of log-scales, sigmoid of logits, L2 norm of quaternions (1e-12 floor, §3.8)."""
    norm = np.linalg.norm(gaussians.quats, axis=1, keepdims=True)
    return Splats(
        means=gaussians.means,
        quats=gaussians.quats / np.maximum(norm, np.float32(1e-12)),
        scales=np.exp(gaussians.log_scales),
        opacities=np.float32(1) / (np.float32(1) + np.exp(-gaussians.opacity_logits)),
        sh=gaussians.sh,
    )
