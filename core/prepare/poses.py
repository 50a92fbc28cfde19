"""The steps that find the head's pose and the eyes of every frame."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dataset.pictures import read_picture
from ..errors import VideoError
from ..formats.torch_writer import torch_bytes
from ..records.arrays import Float32
from .background import evenly_spaced
from .eyes import closure, table
from .landmarks import MESHES
from .mask_regions import HEAD, to_regions
from .pictures import write_bytes
from .shots import load_shots
from .step import Step
from .surface import head_points
from .tracking import track_head
from .transforms import documents, official

POINT_FRAMES = 24  # whose masks bound the head
TRACK = "track.npz"


def track_poses(step: Step) -> dict[str, Any]:
    """Write head pose and focal length: transforms_train.json, transforms_val.json."""
    meshes, shots = step.load(MESHES)["meshes"].astype(np.float64), load_shots(step)
    size = step.options.size

    def pictures(rows: NDArray[np.intp]) -> Float32:
        from scipy.ndimage import gaussian_filter

        grey = (read_picture(step.image(int(row)), "L").astype(np.float32) for row in rows)
        return np.stack([gaussian_filter(picture, 0.7 * size / 512) for picture in grey])

    try:
        result = track_head(
            meshes, shots.used, shots.number, size, pictures, step.options.focal, step.progress
        )
    except np.linalg.LinAlgError:
        result = None
    if result is None or not np.isfinite(result.rotations + result.shifts[..., None]).all():
        raise VideoError(
            f"no head's pose fits the landmarks of {step.video}; look at the frames in "
            f"{step.folder / 'ori_imgs'}, and take a part with --start and --seconds"
        )
    step.save(
        TRACK, mesh=result.mesh, rotations=result.rotations, shifts=result.shifts,
        focal=np.array(result.focal),
    )  # fmt: skip
    train, val = documents(result.rotations, result.shifts, result.focal, size, shots.rows)
    for name, document in (("train", train), ("val", val)):
        write_bytes(step.folder / f"transforms_{name}.json", json.dumps(document).encode())
    return {"focal": round(result.focal, 2), "error": round(result.error, 3)}


def write_points(step: Step) -> dict[str, Any]:
    """Write track_params.pt: the poses, and initial points of a training, all over the head."""
    track = step.load(TRACK)
    rows = evenly_spaced(load_shots(step).rows, POINT_FRAMES)
    heads = [to_regions(read_picture(step.parsing(row))) == HEAD for row in rows]
    turns, shifts, focal = track["rotations"], track["shifts"], float(track["focal"])
    points = head_points(track["mesh"], turns[rows], shifts[rows], focal, heads)
    euler, trans = official(turns, shifts)
    tensors = {"euler": euler, "trans": trans, "focal": track["focal"], "vertices": points[None]}
    tensors["focal"] = tensors["focal"].reshape(1)
    write_bytes(step.folder / "track_params.pt", torch_bytes(tensors))
    step.progress(1, 1)
    return {"points": len(points)}


def write_eyes(step: Step) -> dict[str, Any]:
    """Write au.csv."""
    used = load_shots(step).used
    closed = closure(step.load(MESHES)["meshes"].astype(np.float64), used)
    write_bytes(step.folder / "au.csv", table(closed, used).encode())
    blinks = int((np.diff((closed > 0.5).astype(int)) == 1)[used[1:]].sum())
    if blinks == 0:
        step.note("the person never blinks; the avatar's eyes will not close")
    step.progress(1, 1)
    return {"blinks": blinks}
