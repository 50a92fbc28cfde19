"""The head's pose in every frame, of track_params.pt or else of transforms_*.json, and the mesh
that the tracker fitted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..avatar.header import is_rigid
from ..errors import DatasetError
from ..formats.torch_file import array_of, load_torch, mean_points
from ..records.arrays import Float64
from ..records.avatar import Track
from ..records.camera import viewmat_from_track
from .eyes import read_eyes
from .files import Listing
from .landmarks import landmarks_of
from .report import Report
from .transforms import Documents, poses_of

NAME = "track_params.pt"
MAX_TRACK = 64 * 2**30  # bytes; official ones contain 3.3 GB of vertices, which stay on disk
FAR = 1e6  # decimetres; no head is that far away
MIN_POINTS = 1000  # of a face mesh; landmark clouds have 68 to 478


def read_track(
    folder: Path, listing: Listing, documents: Documents, report: Report
) -> tuple[Float64, Float64 | None]:
    """viewmats (F, 4, 4) by frame, NaN where a frame has no pose, and the mesh's mean points
    (P, 3), None if the track has no mesh. Without a track the poses are those of `documents`; if
    they have none, F is 0 and the report has an error."""
    path = folder / NAME
    viewmats, points = np.zeros((0, 4, 4)), None
    if not path.exists():
        viewmats = poses_of(documents)
        if len(viewmats):
            report.notes.append(
                f"no {NAME}: the poses are those of transforms_*.json, and the first points come "
                "from the masks"
            )
        else:
            report.errors.append(
                f"{path} does not exist and transforms_train.json has no transform_matrix, so the "
                "head's poses are not known; track the clip, or make a dataset from its video "
                "with: prepare VIDEO FOLDER"
            )
        return viewmats, points
    with report.collecting():
        content = load_torch(path, DatasetError, MAX_TRACK)
        viewmats = _by_frame(_poses(content, path), listing, report)
        points = mean_points(content, "vertices")
        wrong = _wrong_with(points, viewmats)
        if wrong is not None:
            report.notes.append(f"{NAME} {wrong}: the first points come from the masks")
            points = None
    return viewmats, points


def avatar_track(
    folder: Path, listing: Listing, documents: Documents, report: Report
) -> Track | None:
    """Poses and eyes for an avatar, None if no pose is known. DatasetError if the track has no pose
    at all, or one out of range."""
    path = folder / NAME
    if path.exists():
        viewmats = _poses(load_torch(path, DatasetError, MAX_TRACK), path)
        whole = np.isfinite(viewmats).all((1, 2))
        if not whole.any() or not is_rigid(viewmats[whole]):
            raise DatasetError(f"{path} contains NaN or poses out of range; track the clip again")
        viewmats = _by_frame(viewmats, listing, report)
    else:
        viewmats = poses_of(documents)
        if not len(viewmats):
            report.notes.append(f"no {NAME}: the head keeps a still pose")
            return None
        report.notes.append(f"no {NAME}: the poses are those of transforms_*.json")
    count = len(viewmats)
    eyes = read_eyes(
        folder, count, lambda: landmarks_of(listing.landmarks, range(count), count), report.notes
    )
    return Track(filled(viewmats).astype(np.float32), eyes)


def filled(viewmats: Float64) -> Float64:
    """(F, 4, 4) in which a frame without a pose (NaN) takes the pose of the frame before it; frames
    before the first pose take that one."""
    whole = np.asarray(np.isfinite(viewmats).all(axis=(1, 2)))
    last = np.maximum.accumulate(np.where(whole, np.arange(len(whole)), 0))
    return viewmats[np.where(whole[last], last, np.argmax(whole))]


def _poses(content: Mapping[str, Any], path: Path) -> Float64:
    """(F, 4, 4) head's frame to camera of every row, NaN where the tracker gave no pose.
    DatasetError names `path` and what it lacks."""
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


def _wrong_with(points: Float64 | None, viewmats: Float64) -> str | None:
    """The reason why a mesh cannot be the head's, worded to follow the file's name; None if it
    can."""
    if points is None:
        return "has no vertices"
    if len(points) < MIN_POINTS:
        return f"has {len(points)} vertices, too few for a face"
    posed = viewmats[np.isfinite(viewmats).all((1, 2))]
    if not np.ptp(points, axis=0).all() or not len(posed):
        return "has vertices that are not a solid body"
    if (points @ posed[0, 2, :3] + posed[0, 2, 3] <= 0).any():
        return "has vertices that lie behind the camera"
    return None


def _by_frame(viewmats: Float64, listing: Listing, report: Report) -> Float64:
    """Poses by frame. The field's tracker skips frames without landmarks, and all later rows move
    up (docs/method.md §5.1). They are moved back if the numbers of the files show this."""
    tracked = sorted(set(listing.images) & set(listing.landmarks))
    frames = len(listing.images)
    if len(viewmats) >= frames:
        return viewmats
    if len(viewmats) != len(tracked) or frames != max(listing.images) + 1:
        report.notes.append(
            f"{NAME} has {len(viewmats)} poses for {frames} pictures: matched by number"
        )
        return viewmats
    out = np.full((frames, 4, 4), np.nan)
    out[tracked] = viewmats
    report.notes.append(
        f"{NAME} has {len(viewmats)} poses for {frames} frames, {frames - len(tracked)} "
        "of which have no landmarks: the poses were moved back to their frames"
    )
    return out
