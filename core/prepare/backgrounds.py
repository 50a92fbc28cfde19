"""The step that makes the clip's background, and judges whether it serves every frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..images.pillow import resized
from ..records.arrays import Float32
from .background import BackgroundMedian, distance_to, evenly_spaced
from .background_motion import MARGIN, SIDE, Motion, judge, reduced
from .options import FPS
from .outlines import Outlines, outlines_of
from .pictures import write_picture
from .segmentation.filters import enlarged
from .segmentation.view import SIDE as WORK
from .step import Step

FRAMES = 96  # at most, for the background
MOST_BYTES = 200 * 2**20  # of these frames in memory
BACKGROUND = "plate.npz"  # its name stays, so that preparations begun earlier can continue
OWN = "bc_imgs"  # the folder of the frames' own backgrounds, where one picture cannot serve
KINDS = {
    "drifts": "drifts",
    "jumps": "jumps",
    "moves": "moves, or the camera does",
}


def make_background(step: Step, used: Sequence[int]) -> dict[str, Any]:
    """Write bc.jpg and the mask of where the background is known. used: frames of one framing."""
    size = step.options.size
    rows = evenly_spaced(used, min(FRAMES, MOST_BYTES // (3 * size * size)))
    span = (0, len(rows), 2 * len(rows))
    found = list(step.spread(_look, rows, outlines_of, span=span))
    distances = [distance for distance, _ in found]
    motion = judge([small for _, small in found], [_far(distance) for distance in distances])
    background = BackgroundMedian(size)
    for done, index in enumerate(motion.alike, 1):
        distance = distances[index].astype(np.float32) * (size / WORK)
        background.add(step.pixels(rows[index]), enlarged(distance, size))
        step.progress(len(rows) + len(rows) * done // len(motion.alike), 2 * len(rows))
    picture, known = background.finish(step.cores)
    write_picture(step.folder / "bc.jpg", picture, step.options.quality)
    step.save(BACKGROUND, known=known, still=np.array(motion.kind == "still"))
    jumps = [step.options.start + rows[index] / FPS for index in motion.jumps]  # of the video
    if motion.kind != "still":
        step.note(_line(motion, jumps))
    return {
        "seen": round(float(known.mean()), 4),
        "moved": motion.change,
        "background": motion.kind,
        "jumps": [round(time, 2) for time in jumps],
    }


def _line(motion: Motion, jumps: list[float]) -> str:
    where = ""
    if motion.kind == "jumps":
        # Several within a tenth of a second are one for the user.
        where = " near " + ", ".join(dict.fromkeys(f"{time:.1f} s" for time in jumps))
    return (
        f"the background {KINDS[motion.kind]}{where} (by {motion.change:.0f} of 255 grey levels): "
        f"each frame is trained on its own, in {OWN}; the avatar keeps one still picture"
    )


def _look(outlines: Outlines, row: int) -> tuple[NDArray[np.uint8], Float32]:
    """(WORK, WORK) the distance to everything that may be a person, pixels at that size; and the
    frame as of `reduced`."""
    pixels = outlines.files.pixels(row)
    possible = outlines.possible(outlines.see(row, pixels))
    small = resized((255 * possible).astype(np.uint8), WORK, WORK, "BOX") > 0
    return np.minimum(distance_to(small), 255).astype(np.uint8), reduced(pixels)


def _far(distance: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(SIDE, SIDE) pixels that are surely background."""
    factor = WORK // SIDE
    nearest = distance.reshape(SIDE, factor, SIDE, factor).min((1, 3))
    return np.asarray(nearest > MARGIN * factor)
