"""The step that finds the face mesh of every frame, and while it has the pictures the signals that
frames are judged by."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import VideoError
from ..records.arrays import Float32
from .face import MOST_FACES, FaceMesher
from .gaps import between
from .mesh import IBUG, MESH_POINTS, SKIN_POINTS
from .pictures import write_bytes
from .signals import SMALL, Signals, signals_of
from .step import Files, Step, all_there

RIVAL = 0.5  # height of a second face, in heights of the first, that makes it a second person
MESHES, SIGNALS = "meshes.npz", "signals.npz"
PARTS = "landmarks"  # folder of the finished parts, while the step runs
# The mesher looks for a face where it was in the frame before. So that its result does not depend
# on the number of processes, it starts anew in every part, a little earlier: after 8 frames its
# points are within a tenth of a pixel of those after many frames, less than their jitter.
PART, EARLIER = 64, 8


def find_meshes(step: Step, count: int, keep: bool) -> dict[str, Any]:
    """The face mesh of every frame, and the .lms files of the frames that have one. keep: finished
    parts are valid and stay."""
    if not keep:
        shutil.rmtree(step.side / PARTS, ignore_errors=True)
    step.make(f"{step.side.name}/{PARTS}")
    parts = [range(first, min(first + PART, count)) for first in range(0, count, PART)]
    missing = [part for part in parts if not all_there([step.side / _name(part)])]
    kept = count - sum(map(len, missing))
    for _ in step.spread(_find_part, missing, _mesher, span=(kept, count, count)):
        pass
    found = [step.load(_name(part)) for part in parts]
    faces, skin, small = (
        np.concatenate([one[name] for one in found]) for name in ("faces", "skin", "small")
    )
    rows, nearest = np.arange(count), _nearest_faces(faces)
    meshes = faces[rows, nearest]
    valid = np.asarray(np.isfinite(meshes).all((1, 2)))
    absent = int((~valid).sum())
    if absent == count:
        raise VideoError(
            f"{step.video} shows no face in its square; take a part in which the person faces the "
            "camera, with --start and --seconds, or name the square with --crop x,y,side"
        )
    save_meshes(step, meshes, valid, _rivals(faces))
    step.save(SIGNALS, small=small, skin=skin[rows, nearest])
    shutil.rmtree(step.side / PARTS, ignore_errors=True)
    return {"missing": absent}


def save_meshes(
    step: Step, meshes: Float32, valid: NDArray[np.bool_], rivals: NDArray[np.bool_]
) -> None:
    """Save the meshes (F, 478, 3) and write the .lms files. valid (F,): a face was found; the
    others are interpolated. rivals (F,): another face is about as large."""
    filled = fill_gaps(meshes, valid)
    for row in range(len(filled)):
        lines = (f"{x:f} {y:f}" for x, y in filled[row, IBUG, :2])
        write_bytes(step.landmarks(row), ("\n".join(lines) + "\n").encode())
    step.save(MESHES, meshes=filled, valid=valid, rivals=rivals)


def load_signals(files: Files) -> Signals:
    return Signals(**files.load(SIGNALS))


def _name(part: range) -> str:
    return f"{PARTS}/{part.start}.npz"


def _mesher(files: Files) -> tuple[Files, FaceMesher]:
    return files, FaceMesher(files.options.landmark_model)


def _find_part(tool: tuple[Files, FaceMesher], part: range) -> None:
    """Save the faces (F, MOST_FACES, 478, 3) of a part's frames, NaN where there are fewer, and
    their signals: small (F, 16, 16, 3) and skin (F, MOST_FACES, 468, 3)."""
    files, mesher = tool
    mesher.forget()
    faces = np.full((len(part), MOST_FACES, MESH_POINTS, 3), np.nan, np.float32)
    skin = np.zeros((len(part), MOST_FACES, SKIN_POINTS, 3), np.uint8)
    small = np.zeros((len(part), SMALL, SMALL, 3), np.uint8)
    for row in range(max(part.start - EARLIER, 0), part.stop):
        pixels = files.pixels(row)
        found = mesher.find(pixels)
        if row in part:
            at, some = row - part.start, slice(len(found))
            if found:
                faces[at, some] = found
            small[at], skin[at, some] = signals_of(pixels, faces[at, some])
    files.save(_name(part), faces=faces, skin=skin, small=small)


def _nearest_faces(faces: Float32) -> NDArray[np.intp]:
    """(F,) which of each frame's faces (F, MOST_FACES, 478, 3), the largest first, is nearest to
    that of the frame before."""
    chosen = np.zeros(len(faces), np.intp)
    middles = faces[..., :2].mean(2)
    last = None
    for row, choices in enumerate(middles):
        if np.isnan(choices[0, 0]):
            continue
        if last is not None:
            chosen[row] = np.nanargmin(np.abs(choices - last).sum(1))
        last = choices[chosen[row]]
    return chosen


def _rivals(faces: Float32) -> NDArray[np.bool_]:
    """(F,) True where the second largest of the faces (F, MOST_FACES, 478, 3) is a person's too."""
    heights = np.ptp(faces[:, :2, :, 1], axis=2)  # NaN compares as False
    return np.asarray(heights[:, 1] > RIVAL * heights[:, 0])


def fill_gaps(meshes: Float32, valid: NDArray[np.bool_]) -> Float32:
    """Meshes (F, P, 3) in which frames without a face are interpolated linearly between their
    neighbours."""
    out = meshes.copy()
    for row, a, b, share in between(valid):
        out[row] = (1 - share) * meshes[a] + share * meshes[b]
    return out
