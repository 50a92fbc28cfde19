"""The step that finds the face mesh of every frame."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import VideoError
from ..records.arrays import Float32
from .face import MOST_FACES, FaceMesher
from .gaps import between
from .mesh import IBUG, MESH_POINTS
from .pictures import write_bytes
from .step import Files, Step, all_there

RIVAL = 0.5  # height of a second face, in heights of the first, that makes it a second person
MESHES = "meshes.npz"
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
    faces = np.concatenate([step.load(_name(part))["faces"] for part in parts])
    meshes = _nearest_faces(faces)
    valid = np.asarray(np.isfinite(meshes).all((1, 2)))
    absent = int((~valid).sum())
    if absent == count:
        raise VideoError(
            f"{step.video} shows no face in its square; take a part in which the person faces the "
            "camera, with --start and --seconds, or name the square with --crop x,y,side"
        )
    save_meshes(step, meshes, valid, _rivals(faces))
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


def _name(part: range) -> str:
    return f"{PARTS}/{part.start}.npz"


def _mesher(files: Files) -> tuple[Files, FaceMesher]:
    return files, FaceMesher(files.options.landmark_model)


def _find_part(tool: tuple[Files, FaceMesher], part: range) -> None:
    """Save the faces (F, MOST_FACES, 478, 3) of a part's frames, NaN where there are fewer."""
    files, mesher = tool
    mesher.forget()
    faces = np.full((len(part), MOST_FACES, MESH_POINTS, 3), np.nan, np.float32)
    for row in range(max(part.start - EARLIER, 0), part.stop):
        found = mesher.find(files.pixels(row))
        if found and row in part:
            faces[row - part.start, : len(found)] = found
    files.save(_name(part), faces=faces)


def _nearest_faces(faces: Float32) -> Float32:
    """(F, 478, 3) of each frame's faces (F, MOST_FACES, 478, 3), the largest first, the one that is
    nearest to that of the frame before."""
    meshes = faces[:, 0].copy()
    middles = faces[..., :2].mean(2)
    last = None
    for row, choices in enumerate(middles):
        if np.isnan(choices[0, 0]):
            continue
        chosen = 0
        if last is not None:
            chosen = int(np.nanargmin(np.abs(choices - last).sum(1)))
        meshes[row], last = faces[row, chosen], choices[chosen]
    return meshes


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
