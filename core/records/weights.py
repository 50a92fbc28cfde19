"""The network's weights as plain arrays, under their official names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .arrays import Float32

EGSTALKER = "egstalker"
GAUSSIANTALKER = "gaussiantalker"
PAPER = "paper"


@dataclass(frozen=True, eq=False)
class NetworkWeights:
    """kind: "egstalker" or "gaussiantalker", as the official code builds them, or "paper", the
    method as the paper describes it: network/architecture.py explains them. arrays: float32, names
    as in the official state dict without the leading "deformation_net." (docs/method.md §3.1; the
    required names: `architecture.tensor_names`). frozen: names of attributes that stay canonical
    (gaussians.ATTRIBUTES; official flags no_dx, no_ds, no_dr, no_do, no_dshs). agents: how many of
    the first Gaussians are ESAA's agents (official agent_num; all if there are fewer Gaussians;
    GaussianTalker has none). heads: official n_head, None for the kind's default (EGSTalker 16,
    GaussianTalker 2)."""

    kind: str
    arrays: Mapping[str, Float32]
    frozen: frozenset[str] = field(default_factory=frozenset)
    agents: int = 200
    heads: int | None = None
