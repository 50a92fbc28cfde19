"""What the first step has seen of a film so far, kept now and then, so that a run that is stopped
need not decode a long film again."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from ..records.arrays import Float64
from .step import Files, all_there
from .video.deinterlace import CombSearch

EVERY = 12  # frames; one of them is searched for the face
MOST = 60  # searched frames; then the interval doubles
SAVED_EVERY = 5.0  # seconds of work that are lost at most
NAME = "look.npz"  # in the side folder, while the step runs


@dataclass(eq=False)
class Examined:
    """count: frames. repeated: those that are the same as the one before. every: interval of the
    searched frames. boxes: (n, 4) faces of each of them, in pixels of the video. combs: of
    interlaced pictures."""

    count: int = 0
    repeated: int = 0
    every: int = EVERY
    boxes: list[Float64] = field(default_factory=list)
    combs: CombSearch = field(default_factory=CombSearch)
    saved: float = field(default_factory=time.monotonic)

    @classmethod
    def begun(cls, files: Files, keep: bool) -> Examined:
        """What an earlier run has saved, if it is to be kept, else nothing."""
        if not keep or not all_there([files.side / NAME]):
            return cls()
        found = files.load(NAME)
        count, repeated, every, *combs = (int(value) for value in found["numbers"])
        boxes = np.split(found["boxes"], np.cumsum(found["sizes"])[:-1])
        return cls(count, repeated, every, boxes, CombSearch(*combs))

    @property
    def searches(self) -> bool:
        """True if the face is to be searched in the next frame."""
        return self.count % self.every == 0

    def add(self, same: bool) -> None:
        """Count a frame, whose boxes were added before if it was searched."""
        if len(self.boxes) > MOST:
            self.boxes, self.every = self.boxes[::2], 2 * self.every
        self.count += 1
        self.repeated += same

    def save_now_and_then(self, files: Files) -> None:
        """Before a frame that is not a repeated one: a later run can begin with it."""
        now = time.monotonic()
        if self.boxes and now - self.saved >= SAVED_EVERY:
            files.save(
                NAME,
                numbers=np.array(
                    [self.count, self.repeated, self.every, self.combs.pictures, self.combs.combed]
                ),
                sizes=np.array([len(one) for one in self.boxes]),
                boxes=np.concatenate([one.reshape(-1, 4) for one in self.boxes]),
            )
            self.saved = now

    def remove(self, files: Files) -> None:
        (files.side / NAME).unlink(missing_ok=True)
