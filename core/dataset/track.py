"""Poses, eyes and mesh of a dataset's frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError
from ..formats.torch_file import load_torch, mean_points
from .files import Listing
from .report import Report
from .transforms import MAX_TRACK, poses_of, read_eyes

MIN_POINTS = 1000  # of a face mesh; landmark clouds have 68 to 478
EYES_SHORT = 5  # rows that au.csv may lack at the end

Float64 = NDArray[np.float64]


def read_track(folder: Path, listing: Listing, report: Report) -> tuple[Float64, Float64 | None]:
    """viewmats (F, 4, 4), NaN where a frame has no pose, and the mesh's mean points (P, 3) or None
    where the track has no mesh. F is 0, and an error in the report, where there is no track."""
    path = folder / "track_params.pt"
    viewmats, points = np.zeros((0, 4, 4)), None
    if not path.exists():
        report.errors.append(
            f"{path} does not exist, so the head's poses are not known; track the clip, or make a "
            "dataset from its video with: prepare VIDEO FOLDER"
        )
        return viewmats, points
    with report.collecting():
        content = load_torch(path, DatasetError, MAX_TRACK)
        viewmats = _unshifted(poses_of(content, path), listing, report)
        points = mean_points(content, "vertices")
        wrong = _wrong_with(points, viewmats)
        if wrong is not None:
            report.notes.append(f"track_params.pt {wrong}: the first points come from the masks")
            points = None
    return viewmats, points


def _wrong_with(points: Float64 | None, viewmats: Float64) -> str | None:
    """What keeps a mesh from being the head's, as it continues a sentence; None where nothing."""
    if points is None:
        return "has no vertices"
    if len(points) < MIN_POINTS:
        return f"has {len(points)} vertices, too few for a face"
    posed = viewmats[np.isfinite(viewmats).all((1, 2))]
    if not np.ptp(points, axis=0).all() or not len(posed):
        return "has vertices that are no solid body"
    if (points @ posed[0, 2, :3] + posed[0, 2, 3] <= 0).any():
        return "has vertices that lie behind the camera"
    return None


def _unshifted(viewmats: Float64, listing: Listing, report: Report) -> Float64:
    """Poses by frame. The field's tracker skips frames without landmarks, and all later poses move
    up (docs/method.md §5.1): they are put back where the numbers tell that this has happened."""
    tracked = sorted(set(listing.images) & set(listing.landmarks))
    frames = len(listing.images)
    if len(viewmats) >= frames:
        return viewmats
    if len(viewmats) != len(tracked) or frames != max(listing.images) + 1:
        report.notes.append(
            f"track_params.pt has {len(viewmats)} poses for {frames} pictures: matched by number"
        )
        return viewmats
    out = np.full((frames, 4, 4), np.nan)
    out[tracked] = viewmats
    report.notes.append(
        f"track_params.pt has {len(viewmats)} poses for {frames} frames, {frames - len(tracked)} "
        "of which have no landmarks: the poses were put back to their frames"
    )
    return out


def eyes_of(folder: Path, count: int, report: Report) -> Float64:
    """(count,) eye closure in [0, 1]; open where there is no au.csv."""
    eyes = np.zeros(count)
    with report.collecting():
        eyes = read_eyes(folder / "au.csv", count, report.notes, short=EYES_SHORT)
    return eyes
