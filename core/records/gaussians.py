"""The head as 3D Gaussians: canonical (as trained) and deformed (ready to rasterise)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .arrays import Float32

SH_COEFFICIENTS = 16  # degree 3
C0 = 0.28209479177387814  # the constant harmonic: a colour is 0.5 + C0 * sh[0]


@dataclass(frozen=True, eq=False)
class Gaussians:
    """Canonical Gaussians, raw values as the optimiser stores them (docs/method.md §3.8, §4).

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
    """Activated Gaussians of one moment, which every rasteriser and the viewport draw.

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


@dataclass(frozen=True)
class Attribute:
    """One of the five attributes of a Gaussian that a network moves.

    name: field of Splats, and the network's name for it (`NetworkWeights.frozen`). raw: field of
    Gaussians. width: float32 values a Gaussian, spherical harmonics flattened. base: how many of
    them, counted from the first, do not depend on the viewing direction. official: its name in the
    official code ("pos_deform" is the head that moves "means")."""

    name: str
    raw: str
    width: int
    base: int
    official: str


# In the order of the fields of Gaussians.
ATTRIBUTES = (
    Attribute("means", "means", 3, 3, "pos"),
    Attribute("scales", "log_scales", 3, 3, "scales"),
    Attribute("quats", "quats", 4, 4, "rotations"),
    Attribute("opacities", "opacity_logits", 1, 1, "opacity"),
    Attribute("sh", "sh", 3 * SH_COEFFICIENTS, 3, "shs"),
)
WIDTHS = {attribute.name: attribute.width for attribute in ATTRIBUTES}


def flat_of(gaussians: Gaussians) -> dict[str, Float32]:
    """Attribute's name -> its raw values (N, width), views of the given arrays."""
    n = len(gaussians)
    return {a.name: getattr(gaussians, a.raw).reshape(n, a.width) for a in ATTRIBUTES}


def gaussians_of(flat: Mapping[str, Float32]) -> Gaussians:
    """The inverse of `flat_of`, without a copy."""
    n = len(flat["means"])
    return Gaussians(
        flat["means"],
        flat["scales"],
        flat["quats"],
        flat["opacities"].reshape(n),
        flat["sh"].reshape(n, SH_COEFFICIENTS, 3),
    )


Cloud = TypeVar("Cloud", Gaussians, Splats)


def rows_of(cloud: Cloud, rows: NDArray[np.int64]) -> Cloud:
    """Those rows only, in that order."""
    return type(cloud)(*(values[rows] for values in vars(cloud).values()))


def concatenated(first: Cloud, second: Cloud) -> Cloud:
    """The rows of the first cloud, then those of the second."""
    pairs = zip(vars(first).values(), vars(second).values(), strict=True)
    return type(first)(*(np.concatenate(pair) for pair in pairs))


def with_rows(
    splats: Splats, rows: NDArray[np.int64], others: Splats, names: Iterable[str]
) -> Splats:
    """The splats with those rows replaced by `others` in the fields `names`; the other fields are
    shared, not copied."""
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


MAX_LOGIT = 20.0  # an opacity within 2e-9 of 0 or 1


def deactivate(splats: Splats) -> Gaussians:
    """The inverse of `activate`: raw values, as splat files hold them. Opacities of exactly 0 and 1
    become the largest logits, scales of 0 the smallest normal number."""
    opacities = splats.opacities.astype(np.float64)
    with np.errstate(divide="ignore"):
        logits = np.clip(np.log(opacities) - np.log1p(-opacities), -MAX_LOGIT, MAX_LOGIT)
    return Gaussians(
        means=splats.means,
        log_scales=np.log(np.maximum(splats.scales, np.finfo(np.float32).tiny)),
        quats=splats.quats,
        opacity_logits=logits.astype(np.float32),
        sh=splats.sh,
    )
