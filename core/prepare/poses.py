"""The steps about the face: its mesh in every frame, the head's pose, the eyes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dataset.pictures import read_picture
from ..errors import VideoError
from ..formats.torch_writer import torch_bytes
from .background import spread_rows
from .eyes import closure, table
from .face import FaceMesher, quiet
from .mask_regions import HEAD, to_regions
from .mesh import IBUG, MESH_POINTS
from .patches import Float32
from .pictures import write_bytes
from .step import Work
from .surface import head_points
from .tracking import Float64, track_head
from .transforms import documents, official

MOST_MISSING = 0.2  # of the frames
POINT_FRAMES = 24  # whose masks shape the head
MESHES, TRACK = "meshes.npz", "track.npz"


def find_meshes(work: Work, count: int) -> dict[str, Any]:
    """The face mesh of every frame, and the .lms files of the frames that have one."""
    meshes = np.full((count, MESH_POINTS, 3), np.nan, np.float32)
    with quiet(work.side):
        mesher = FaceMesher(work.options.landmark_model)
        last: Float64 | None = None
        for row in range(count):
            faces = mesher.find(work.pixels(row))
            if faces:
                # Of several faces the one that was there before.
                if last is not None and len(faces) > 1:
                    middle = last[:, :2].mean(0)
                    faces.sort(key=lambda face: float(np.abs(face[:, :2].mean(0) - middle).sum()))
                last = faces[0]
                meshes[row] = last
            work.told("landmarks", row + 1, count)
    valid = np.asarray(np.isfinite(meshes).all((1, 2)))
    missing = int((~valid).sum())
    if missing > MOST_MISSING * count:
        raise VideoError(
            f"{work.video} shows no face in {missing} of {count} frames; take a part in which the "
            "person faces the camera, with --start and --seconds"
        )
    if missing:
        work.note(f"{missing} of {count} frames show no face and are left out of the training")
    filled = fill_gaps(meshes, valid)
    for row in range(count):
        lines = (f"{x:f} {y:f}" for x, y in filled[row, IBUG, :2])
        write_bytes(work.landmarks(row), ("\n".join(lines) + "\n").encode())
    work.save(MESHES, meshes=filled, valid=valid)
    return {"missing": missing}


def fill_gaps(meshes: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Meshes (F, P, 3) in which frames without a face lie on the line between their neighbours."""
    rows = np.flatnonzero(valid)
    out = meshes.copy()
    for row in np.flatnonzero(~valid):
        after = int(np.searchsorted(rows, row))
        a, b = rows[max(after - 1, 0)], rows[min(after, len(rows) - 1)]
        share = 0.0 if a == b else (row - a) / (b - a)
        out[row] = (1 - share) * meshes[a] + share * meshes[b]
    return out


def track(work: Work, count: int) -> dict[str, Any]:
    """Head pose and focal length: transforms_train.json, transforms_val.json."""
    found = work.load(MESHES)
    meshes, valid = found["meshes"].astype(np.float64), found["valid"].astype(bool)
    size = work.options.size

    def pictures(rows: NDArray[np.intp]) -> Float32:
        from scipy.ndimage import gaussian_filter

        grey = (read_picture(work.image(int(row)), "L").astype(np.float32) for row in rows)
        return np.stack([gaussian_filter(picture, 0.7 * size / 512) for picture in grey])

    def told(done: int, total: int) -> None:
        work.told("pose", done, total)

    try:
        result = track_head(meshes, valid, size, pictures, work.options.focal, told)
    except np.linalg.LinAlgError:
        result = None
    if result is None or not np.isfinite(result.rotations + result.shifts[..., None]).all():
        raise VideoError(
            f"no head's pose fits the landmarks of {work.video}; look at the frames in "
            f"{work.folder / 'ori_imgs'}, and take a part with --start and --seconds"
        )
    work.save(
        TRACK, mesh=result.mesh, rotations=result.rotations, shifts=result.shifts,
        focal=np.array(result.focal),
    )  # fmt: skip
    rows = [int(row) for row in np.flatnonzero(valid)]
    train, val = documents(result.rotations, result.shifts, result.focal, size, rows)
    for name, document in (("train", train), ("val", val)):
        write_bytes(work.folder / f"transforms_{name}.json", json.dumps(document).encode())
    return {"focal": round(result.focal, 2), "error": round(result.error, 3)}


def write_points(work: Work, count: int) -> dict[str, Any]:
    """track_params.pt: the poses, and points all over the head that a training begins with."""
    track = work.load(TRACK)
    rows = spread_rows(np.flatnonzero(work.load(MESHES)["valid"]).tolist(), POINT_FRAMES)
    heads = [to_regions(read_picture(work.parsing(row))) == HEAD for row in rows]
    turns, shifts, focal = track["rotations"], track["shifts"], float(track["focal"])
    points = head_points(track["mesh"], turns[rows], shifts[rows], focal, heads)
    euler, trans = official(turns, shifts)
    tensors = {"euler": euler, "trans": trans, "focal": track["focal"], "vertices": points[None]}
    tensors["focal"] = tensors["focal"].reshape(1)
    write_bytes(work.folder / "track_params.pt", torch_bytes(tensors))
    work.told("points", 1, 1)
    return {"points": len(points)}


def write_eyes(work: Work) -> dict[str, Any]:
    """au.csv."""
    found = work.load(MESHES)
    valid = found["valid"].astype(bool)
    closed = closure(found["meshes"].astype(np.float64), valid)
    write_bytes(work.folder / "au.csv", table(closed, valid).encode())
    blinks = int((np.diff((closed > 0.5).astype(int)) == 1).sum())
    if blinks == 0:
        work.note("the person never blinks; the avatar's eyes will not close")
    work.told("eyes", 1, 1)
    return {"blinks": blinks}
