"""The network's weights as plain arrays, under their official names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

EGSTALKER = "egstalker"
GAUSSIANTALKER = "gaussiantalker"
PAPER = "paper"


@dataclass(frozen=True, eq=False)
class NetworkWeights:
    """kind: "egstalker" or "gaussiantalker", as the official code builds them, or "paper", the
    method as it is described (paper.py). arrays: float32, names as in the official state dict
    without the leading "deformation_net." (docs/method.md §3.1; the names that are
    needed: `names.used_names`). frozen: attributes that the network leaves canonical, a subset of
    {"means", "scales", "quats", "opacities", "sh"} (official flags no_dx, no_ds, no_dr, no_do,
    no_dshs). agents: how many of the first Gaussians are ESAA's agents (official agent_num; fewer
    where there are fewer Gaussians; GaussianTalker has none). heads: official n_head, None for the
    kind's own (EGSTalker 16, GaussianTalker 2)."""

    kind: str
    arrays: Mapping[str, NDArray[np.float32]]
    frozen: frozenset[str] = field(default_factory=frozenset)
    agents: int = 200
    heads: int | None = None
