"""The tensors of frozen Gaussians (records.avatar.FrozenGaussians) in an avatar's file."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import AvatarFileError
from ..formats.safetensors import Array, float32, floats
from ..network.architecture import architecture_of
from ..records.avatar import FrozenGaussians, Measured
from ..records.weights import NetworkWeights

PREFIX = "held."  # the file's name for frozen
ROWS = f"{PREFIX}rows"


def frozen_tensors(frozen: FrozenGaussians) -> dict[str, Array]:
    """Offsets as float16: the rounding moves a Gaussian by hundredths of a pixel."""
    offsets = {f"{PREFIX}{name}": a.astype(np.float16) for name, a in frozen.offsets.items()}
    return {ROWS: frozen.rows.astype(np.int64), **offsets}


def frozen_of(
    measured: Measured | None,
    tensors: Mapping[str, Array],
    network: NetworkWeights | None,
    count: int,
) -> FrozenGaussians | None:
    """The frozen Gaussians in `tensors`; None if the header has no measurement. count: Gaussians of
    the avatar. AvatarFileError."""
    if measured is None:
        return None
    if network is None:
        raise AvatarFileError("a still head has no frozen Gaussians; the file is damaged")
    rows = tensors.get(ROWS)
    architecture = architecture_of(network)
    first = architecture.agents
    if rows is None or rows.dtype != np.int64 or rows.ndim != 1 or not len(rows):
        raise AvatarFileError(
            f"tensor {ROWS!r} is missing or not an int64 list; the file is damaged"
        )
    if rows[0] < first or rows[-1] >= count or (np.diff(rows) <= 0).any():
        raise AvatarFileError(
            f"tensor {ROWS!r} is not an ascending list within {first}..{count - 1}: the first "
            f"{first} Gaussians are never frozen; the file is damaged"
        )
    offsets = {
        name: float32(floats(tensors, f"{PREFIX}{name}", len(rows), width))
        for name, width in architecture.widths.items()
    }
    return FrozenGaussians(np.require(rows, np.int64, "A"), offsets, measured)
