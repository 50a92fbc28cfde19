"""LPIPS on a bounded number of frames, or the reason why it is not available."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingPackageError
from ..metrics.lpips_weights import find_weights
from ..records.arrays import Float32
from .measures import measured
from .record import Metric, mean_of

FRAMES = 100  # at most; half a second to a second each at 512 x 512 on a processor

Distance = Callable[[NDArray[np.floating], NDArray[np.floating]], float]


class LpipsMeter:
    """Measures every n-th of the frames that are added."""

    def __init__(self, weights: Path | None, frames: int) -> None:
        """frames: how many will be added. InputError if `weights` is a wrong file; a missing
        package is only noted."""
        self.step = max(1, -(-frames // FRAMES))
        self._values: list[float] = []
        self._count = 0
        self._missing = ""
        self._distance: Distance | None = None
        try:
            arrays = find_weights(weights)
            self._distance, self._smallest = _distance(arrays)
        except MissingPackageError as error:
            self._missing = str(error)

    def add(self, picture: NDArray[np.floating], truth: NDArray[np.floating]) -> None:
        """(H, W, 3) each, in [0, 1]."""
        turn = self._count % self.step == 0
        self._count += 1
        if self._distance is None or not turn:
            return
        if min(truth.shape[:2]) < self._smallest:
            self._missing = f"pictures under {self._smallest} pixels a side are too small"
            return
        self._values.append(self._distance(picture, truth))

    def metric(self) -> Metric:
        note = f"one frame in {self.step}" if self.step > 1 else "whole frame"
        missing = self._missing or "no frame"
        return measured("lpips", mean_of(self._values), note, missing)


def _distance(arrays: dict[str, Float32]) -> tuple[Distance, int]:
    try:
        import torch  # noqa: F401  lpips_torch imports it at its top
    except (ImportError, OSError):
        raise MissingPackageError("LPIPS needs torch; pip install torch") from None
    from ..metrics.lpips_torch import SMALLEST, Lpips

    return Lpips(arrays), SMALLEST
