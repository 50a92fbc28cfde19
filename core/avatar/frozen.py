"""The frozen Gaussians of the approximate head (records.avatar.FrozenGaussians), in an avatar's
file."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import AvatarFileError
from ..formats.checked import float32, floats
from ..formats.safetensors import Array
from ..network.architecture import architecture_of
from ..records.avatar import FrozenGaussians, Measured
from ..records.weights import NetworkWeights

PREFIX = "held."
ROWS = f"{PREFIX}rows"


def frozen_tensors(frozen: FrozenGaussians) -> dict[str, Array]:
    """Offsets as float16: they move a Gaussian by hundredths of a pixel less or more."""
    offsets = {f"{PREFIX}{name}": a.astype(np.float16) for name, a in frozen.offsets.items()}
    return {ROWS: frozen.rows.astype(np.int64), **offsets}


def frozen_of(
    measured: Measured | None,
    tensors: Mapping[str, Array],
    network: NetworkWeights | None,
    count: int,
) -> FrozenGaussians | None:
    """measured: of the header, None where nothing was. count: Gaussians. AvatarFileError."""
    if measured is None:
        return None
    if network is None:
        raise AvatarFileError("a still has nothing to hold; the file is damaged")
    rows = tensors.get(ROWS)
    architecture = architecture_of(network)
    first = architecture.agents
    if rows is None or rows.dtype != np.int64 or rows.ndim != 1 or not len(rows):
        raise AvatarFileError(f"tensor {ROWS!r} is missing or no int64 list; the file is damaged")
    if rows[0] < first or rows[-1] >= count or (np.diff(rows) <= 0).any():
        raise AvatarFileError(
            f"tensor {ROWS!r} is no ascending list within {first}..{count - 1}: the first "
            f"{first} Gaussians are never held; the file is damaged"
        )
    offsets = {
        name: float32(floats(tensors, f"{PREFIX}{name}", len(rows), width))
        for name, width in architecture.widths.items()
    }
    return FrozenGaussians(np.require(rows, np.int64, "A"), offsets, measured)
