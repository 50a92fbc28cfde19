"""The step that makes the clip's background, and judges whether it serves every frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..records.arrays import Float64
from .background import BackgroundMedian, evenly_spaced
from .background_motion import Motion, judge, zooming
from .landmarks import MESHES
from .options import FPS
from .outlines import outlines_of
from .pictures import write_picture
from .segmentation.filters import enlarged
from .segmentation.view import SIDE as WORK
from .step import Step
from .surroundings import surroundings
from .zooms import face_sizes, slow_zoom

FRAMES = 96  # at most, for the background
MOST_BYTES = 200 * 2**20  # of these frames in memory
BACKGROUND = "plate.npz"  # its name stays, so that preparations begun earlier can continue
NEAR = 4  # frames on both sides, whose faces are as large
OWN = "bc_imgs"  # the folder of the frames' own backgrounds, where one picture cannot serve
KINDS = {
    "drifts": "drifts",
    "jumps": "jumps",
    "zooms": "is enlarged by a slow zoom",
    "moves": "moves, or the camera does",
}


def make_background(step: Step, used: Sequence[int]) -> dict[str, Any]:
    """Write bc.jpg and the mask of where the background is known. used: frames of one framing."""
    size = step.options.size
    rows = evenly_spaced(used, min(FRAMES, MOST_BYTES // (3 * size * size)))
    span = (0, len(rows), 2 * len(rows))
    found = list(step.spread(surroundings, rows, outlines_of, span=span))
    motion = judge([one.small for one in found], [one.empty for one in found])
    zooms = slow_zoom(found, _sizes(step, rows))
    if zooms is not None:
        motion = zooming(motion, zooms)
    background = BackgroundMedian(size)
    for done, index in enumerate(motion.alike, 1):
        distance = found[index].distance.astype(np.float32) * (size / WORK)
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


def _sizes(step: Step, rows: Sequence[int]) -> Float64:
    """(K,) logarithms of the sizes of the face in some frames: medians over those next to them."""
    meshes = step.load(MESHES)["meshes"]
    near = np.clip(np.array(rows)[:, None] + np.arange(-NEAR, NEAR + 1), 0, len(meshes) - 1)
    sizes = face_sizes(meshes[near.ravel()].astype(np.float64))
    return np.asarray(np.median(sizes.reshape(near.shape), axis=1))


def _line(motion: Motion, jumps: list[float]) -> str:
    where = ""
    if motion.kind == "jumps":
        # Several within a tenth of a second are one for the user.
        where = " near " + ", ".join(dict.fromkeys(f"{time:.1f} s" for time in jumps))
    return (
        f"the background {KINDS[motion.kind]}{where} (by {motion.change:.0f} of 255 grey levels): "
        f"each frame is trained on its own, in {OWN}; the avatar keeps one still picture"
    )
