"""Dataset folders of the field: camera, plates and the track of head and eyes (docs/method.md §5).

transforms_train.json and bc.jpg are needed; torso_imgs/, track_params.pt, au.csv are used if there.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..avatar.framing import head_camera
from ..avatar.header import is_rigid
from ..errors import CameraError, DatasetError
from ..formats.torch_file import array_of, load_torch
from ..records.avatar import Background, Track
from ..records.camera import Camera, viewmat_from_track
from ..system.files import read_bounded
from .pictures import available_torsos, read_background

MAX_TEXT = 256 * 2**20  # bytes of a JSON or CSV file
MAX_TRACK = 64 * 2**30  # bytes; official ones hold 3.3 GB of vertices, which stay on disk
FAR = 1e6  # decimetres; no head is there


@dataclass(frozen=True, eq=False)
class Dataset:
    """camera: focal length and size of the clip, pose of the plates' frame. notes: what was absent,
    one line each."""

    camera: Camera
    background: Background
    track: Track | None
    notes: tuple[str, ...]


def load_dataset(folder: str | Path, torso_frame: int | None = None) -> Dataset:
    """The parts of a dataset folder that an avatar takes along. `torso_frame`: which torso image
    becomes the plate, the first one where not given; the still pose is that frame's.
    DatasetError names the file that is missing or wrong."""
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f"{folder} is no folder; give the dataset's own folder")
    notes = []
    path = folder / "transforms_train.json"
    focal, width, height = intrinsics_of(read_transforms(path), path)
    torsos = available_torsos(folder)
    if torso_frame is None and torsos:
        torso_frame = torsos[0]
    if torso_frame is None:
        notes.append("no torso_imgs: no torso plate")
    images = read_background(folder, torso_frame, torsos, (width, height))
    track = _track(folder, notes)
    viewmat = head_camera().viewmat
    if track is not None:
        row = min(torso_frame or 0, len(track) - 1)
        viewmat = track.viewmats[row].astype(np.float64)
    try:
        camera = Camera(viewmat, focal, focal, width / 2, height / 2, width, height)
    except CameraError as error:
        raise DatasetError(f"{path}: {error}") from None
    return Dataset(camera, images, track, tuple(notes))


def read_transforms(path: Path) -> dict[str, Any]:
    """The document of a transforms_*.json, its values unchecked."""
    try:
        document = json.loads(read_bounded(path, DatasetError, MAX_TEXT))
    except (ValueError, RecursionError):
        raise DatasetError(f"{path} is no valid JSON; make the dataset again") from None
    return document if isinstance(document, dict) else {}


def intrinsics_of(document: Mapping[str, Any], path: Path) -> tuple[float, int, int]:
    """(focal length, width, height) in pixels; the principal point is the picture's centre, as in
    the official cameras. DatasetError names `path`, where the document comes from."""
    values = []
    for key in ("focal_len", "cx", "cy"):
        value = document.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
            raise DatasetError(f"{path}: {key} is missing or no positive number of pixels")
        values.append(float(value))
    return values[0], round(2 * values[1]), round(2 * values[2])


def _track(folder: Path, notes: list[str]) -> Track | None:
    path = folder / "track_params.pt"
    if not path.exists():
        notes.append("no track_params.pt: the head keeps a still pose")
        return None
    viewmats = poses_of(load_torch(path, DatasetError, MAX_TRACK), path)
    if not is_rigid(viewmats):
        raise DatasetError(f"{path} holds NaN or poses out of range; track the clip again")
    eyes = read_eyes(folder / "au.csv", len(viewmats), notes)
    return Track(viewmats.astype(np.float32), eyes)


def poses_of(content: Mapping[str, Any], path: Path) -> NDArray[np.float64]:
    """(F, 4, 4) head's frame to camera of every frame, from a track_params.pt that load_torch has
    read; NaN where the tracker gave no pose. DatasetError names `path` and what it lacks."""
    euler, trans = array_of(content, "euler"), array_of(content, "trans")
    if euler is None or trans is None:
        raise DatasetError(
            f"{path} has no numbers 'euler' and 'trans'; give the tracker's own file"
        )
    if euler.shape != trans.shape or euler.ndim != 2 or euler.shape[1] != 3 or not len(euler):
        raise DatasetError(
            f"{path}: euler is {list(euler.shape)} and trans {list(trans.shape)}, "
            "both must be frames x 3"
        )
    viewmats = np.full((len(euler), 4, 4), np.nan)
    for row, (angles, shift) in enumerate(zip(euler, trans, strict=True)):
        if np.isfinite(angles).all() and np.abs(shift).max() < FAR:  # False for NaN too
            viewmats[row] = viewmat_from_track(angles, shift)
    return viewmats


def read_eyes(path: Path, count: int, notes: list[str], short: int = 0) -> NDArray[np.float64]:
    """(count,) closure in [0, 1]: clip(AU45_r, 0, 2) / 2, row i for frame i. short: rows that the
    table may lack at its end; its last value goes on."""
    if not path.exists():
        notes.append("no au.csv: the eyes stay open")
        return np.zeros(count)
    try:
        text = read_bounded(path, DatasetError, MAX_TEXT).decode()
        rows = csv.reader(io.StringIO(text), strict=True)
        names = [name.strip() for name in next(rows, [])]
        if "AU45_r" not in names:
            raise DatasetError(f"{path} has no column AU45_r; write it with OpenFace's -aus")
        column = names.index("AU45_r")
        values = [_number(row, column) for row in rows if row]
    except (csv.Error, ValueError):
        raise DatasetError(f"{path} is no table of numbers; write it with OpenFace again") from None
    if values and len(values) < count <= len(values) + short:
        notes.append(f"au.csv has {len(values)} rows for {count} frames: the last one goes on")
        values += values[-1:] * (count - len(values))
    if len(values) < count:
        raise DatasetError(
            f"{path} has {len(values)} rows, track_params.pt has {count} frames; "
            "both must come from the same clip"
        )
    return np.clip(np.array(values[:count]), 0, 2) / 2


def _number(row: list[str], column: int) -> float:
    value = float(row[column]) if column < len(row) else math.nan
    if not math.isfinite(value):
        raise ValueError(value)
    return value
