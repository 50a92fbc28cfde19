"""Mouth and eyes by MediaPipe, if it is installed: its face mesh of the rendered frame against that
of the true frame, which is how LMD is usually measured.

Version 0.10.21 contains its model. Without it the report says why these numbers are missing.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingPackageError
from ..prepare.face import FaceMesher
from ..prepare.mesh import IBUG
from ..records.arrays import Float64
from . import lips
from .measures import measured
from .record import Metric, mean_of
from .report.pictures import to_bytes
from .sync import correlation

FRAMES = 100  # at most; it takes time

Find = Callable[[NDArray[np.uint8]], list[Float64]]


class DetectorMeter:
    """Detects landmarks in every n-th of the frames that are added."""

    def __init__(self, frames: int, find: Find | None = None) -> None:
        """frames: how many will be added. find: (H, W, 3) uint8 -> meshes (478, 3) in pixels, the
        largest first; MediaPipe's by default."""
        self.step = max(1, -(-frames // FRAMES))
        self._count = 0
        self._missing = ""
        self._pairs: list[tuple[Float64, Float64]] = []
        self._unseen = 0
        self._find = find
        if find is None:
            try:
                self._find = _mediapipe()
            except MissingPackageError as error:
                self._missing = str(error)

    def add(self, picture: NDArray[np.floating], truth: NDArray[np.floating]) -> None:
        """(H, W, 3) each, in [0, 1]."""
        turn = self._count % self.step == 0
        self._count += 1
        if self._find is None or not turn:
            return
        true, shown = self._find(to_bytes(truth)), self._find(to_bytes(picture))
        if true and shown:
            self._pairs.append((shown[0][IBUG, :2], true[0][IBUG, :2]))
        elif true:
            self._unseen += 1

    def metrics(self) -> tuple[Metric, ...]:
        """LMD and correlations of lips and eyes, with the truth from the same detector; without a
        detector one metric that says why."""
        shown, true = (np.array([pair[i] for pair in self._pairs]) for i in (0, 1))
        lmd = lip = eye = np.nan
        if self._pairs:
            up = np.tile([0.0, -1.0], (len(true), 1))
            lmd = mean_of(lips.mouth_distance(shown, true))
            lip = correlation(lips.lip_gap(shown, up), lips.lip_gap(true, up))
            eye = correlation(lips.eye_gap(shown, up), lips.eye_gap(true, up))
        note = f"MediaPipe on {len(self._pairs)} frames, rendered and true"
        if self._unseen:
            note += f"; it found no face in {self._unseen} rendered ones"
        missing = self._missing or "no face found in enough frames"
        values = {
            "lmd_detector": lmd,
            "lip_correlation_detector": lip,
            "eye_correlation_detector": eye,
        }
        metrics = tuple(measured(key, value, note, missing) for key, value in values.items())
        return metrics[:1] if self._missing else metrics


def _mediapipe() -> Find:
    if importlib.util.find_spec("mediapipe") is None:
        raise MissingPackageError("mediapipe 0.10.21 is not installed here")
    return FaceMesher(None, still=True).find
