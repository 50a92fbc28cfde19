"""The dataset folder of a training: pictures, masks, poses, eyes and sound of one talking head.

Layout of GaussianTalker, ER-NeRF and EGSTalker, as it is (reference note §5):

    ori_imgs/{i}.jpg or .png and {i}.lms   parsing/{i}.png   torso_imgs/{i}.png (RGBA)   bc.jpg
    track_params.pt   transforms_train.json   transforms_val.json   au.csv   aud.wav

ori_imgs, parsing, bc.jpg, track_params.pt and transforms_train.json are needed. Everything that is
wrong is told at once; what training can do without is left out and noted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..avatar.dataset import (
    MAX_TRACK,
    intrinsics_of,
    poses_of,
    read_eyes,
    read_transforms,
)
from ..avatar.plates import read_picture
from ..avatar.torch_file import load_torch, mean_points
from ..errors import DatasetError
from .clip_files import LANDMARKS, Listing, list_frames, looks_whole, read_landmarks
from .clip_frames import CACHE_BYTES, Box, Frame, TrainingClip
from .clip_report import Report
from .hull import points_from_masks

__all__ = ["Box", "Frame", "TrainingClip", "load_clip"]

MIN_ROWS = 8  # frames without which there is nothing to learn from
MIN_POINTS = 1000  # of a face mesh; landmark clouds have 68 to 478
HULL_POINTS = 30_000
SPLITS = ("train", "val", "more")


def load_clip(
    folder: str | Path, *, check: Literal["fast", "all"] = "fast", cache_bytes: int = CACHE_BYTES
) -> TrainingClip:
    """The dataset in `folder`. check: "fast" looks at the first and last bytes of every picture,
    "all" decodes every one. Frames that are broken are left out of the splits and noted.
    cache_bytes: decoded frames that are kept.

    DatasetError, one line that tells everything that is wrong: no such folder, files that are
    missing or damaged, too few whole frames. MissingPackageError: Pillow, torch."""
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f"{folder} is no folder; give the dataset's own folder")
    report = Report()
    listing = Listing({}, {}, {}, {})
    with report.collecting():
        listing = list_frames(folder)
    documents = _documents(folder, report)
    focal, width, height = _intrinsics(folder, documents, report)
    viewmats, points = _track(folder, report)
    viewmats = _unshifted(viewmats, listing, report)
    eyes = np.zeros(len(viewmats))
    with report.collecting():
        eyes = read_eyes(folder / "au.csv", len(viewmats), report.notes)
    with report.collecting():
        read_picture(folder / "bc.jpg", "RGB", (width, height))
    rows = _splits(documents, len(viewmats), report)
    if report.errors:
        report.finish()
    if not listing.torsos:
        report.notes.append("no torso_imgs: bc.jpg alone lies behind the head")
    broken = _broken(rows, listing, viewmats, (width, height), report)
    whole = {name: tuple(row for row in rows[name] if row not in broken) for name in SPLITS}
    landmarks = _landmarks(whole, listing, len(viewmats), report)
    clip = TrainingClip(
        folder=folder,
        focal=focal,
        width=width,
        height=height,
        train_rows=whole["train"],
        val_rows=whole["val"],
        more_rows=whole["more"],
        viewmats=viewmats,
        eyes=eyes,
        landmarks=landmarks,
        points=np.zeros((0, 3)) if points is None else points,
        sound=_sound(folder / "aud.wav", report),
        sound_more=_sound(folder / "aud_more.wav", report) if rows["more"] else None,
        more_start=min(rows["more"], default=len(viewmats)),
        notes=(),
        listing=listing,
        cache_bytes=cache_bytes,
    )
    if check == "all":
        broken = _undecodable(clip, report)
        for name in SPLITS:
            rows[name] = tuple(row for row in whole[name] if row not in broken)
        clip.train_rows, clip.val_rows, clip.more_rows = (rows[name] for name in SPLITS)
    if len(clip.train_rows) < MIN_ROWS:
        report.errors.append(
            f"{len(clip.train_rows)} whole frames to train on in {folder}, at least {MIN_ROWS} are "
            "needed; make the dataset again"
        )
    elif points is None:
        with report.collecting():
            clip.points = points_from_masks(clip, HULL_POINTS)
    clip.notes = report.finish()
    return clip


def _documents(folder: Path, report: Report) -> dict[str, dict[str, Any]]:
    """The transforms_*.json that there are, by split."""
    found = {}
    for name in SPLITS:
        path = folder / f"transforms_{name}.json"
        if name == "train" or path.exists():
            with report.collecting():
                found[name] = read_transforms(path)
    if "val" not in found:
        report.notes.append("no transforms_val.json: no frames are held out to measure with")
    return found


def _intrinsics(
    folder: Path, documents: dict[str, dict[str, Any]], report: Report
) -> tuple[float, int, int]:
    """(focal length, width, height) in pixels, the same in every split."""
    found = (1.0, 1, 1)
    for number, (name, document) in enumerate(documents.items()):
        path = folder / f"transforms_{name}.json"
        with report.collecting():
            values = intrinsics_of(document, path)
            if number and values != found:
                raise DatasetError(
                    f"{path} has another focal length or centre than the other splits; make the "
                    "dataset again"
                )
            found = values
    return found


def _track(folder: Path, report: Report) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """viewmats (F, 4, 4), and the mesh's points (P, 3) or None where the track has none."""
    path = folder / "track_params.pt"
    if not path.exists():
        report.errors.append(
            f"{path} does not exist, so the head's poses are not known; track the clip, or make a "
            "dataset from its video with: prepare VIDEO FOLDER"
        )
        return np.zeros((0, 4, 4)), None
    with report.collecting():
        content = load_torch(path, DatasetError, MAX_TRACK)
        viewmats = poses_of(content, path)
        points = mean_points(content, "vertices")
        if points is None or len(points) < MIN_POINTS:
            have = "no vertices" if points is None else f"only {len(points)} vertices"
            report.notes.append(f"track_params.pt has {have}: the first points come from the masks")
            points = None
        return viewmats, points
    return np.zeros((0, 4, 4)), None


def _unshifted(
    viewmats: NDArray[np.float64], listing: Listing, report: Report
) -> NDArray[np.float64]:
    """Poses by frame. The tracker skips frames without landmarks, and all later poses move up
    (reference note §5): they are put back where the numbers tell that this has happened."""
    tracked = sorted(set(listing.images) & set(listing.landmarks))
    frames = len(listing.images)
    if not (len(viewmats) == len(tracked) < frames == max(listing.images) + 1):
        return viewmats
    out = np.full((frames, 4, 4), np.nan)
    out[tracked] = viewmats
    report.notes.append(
        f"track_params.pt has {len(viewmats)} poses for {frames} frames, {frames - len(tracked)} "
        "of which have no landmarks: the poses were put back to their frames"
    )
    return out


def _splits(
    documents: dict[str, dict[str, Any]], count: int, report: Report
) -> dict[str, tuple[int, ...]]:
    """Frame numbers of every split, ascending, each in one split only."""
    found: dict[str, tuple[int, ...]] = {}
    taken: set[int] = set()
    for name in SPLITS:
        entries = documents.get(name, {}).get("frames", [])
        rows, odd, twice = set(), 0, 0
        for entry in entries if isinstance(entries, list) else []:
            row = entry.get("img_id") if isinstance(entry, dict) else None
            if isinstance(row, bool) or not isinstance(row, int) or not 0 <= row < count:
                odd += 1
            elif row in taken or row in rows:
                twice += 1
            else:
                rows.add(row)
        if odd:
            report.notes.append(
                f"{odd} entries of transforms_{name}.json have an img_id that is none of the "
                f"{count} tracked frames: left out"
            )
        if twice:
            report.notes.append(
                f"{twice} entries of transforms_{name}.json name a frame for the second time, "
                "there or in an earlier split: left out"
            )
        taken |= rows
        found[name] = tuple(sorted(rows))
    return found


def _broken(
    rows: dict[str, tuple[int, ...]],
    listing: Listing,
    viewmats: NDArray[np.float64],
    size: tuple[int, int],
    report: Report,
) -> set[int]:
    """Frames that cannot be trained on, as far as names, sizes and ends of files tell."""
    broken = set()
    for row in sorted({row for name in SPLITS for row in rows[name]}):
        complaint = _complaint(row, listing, viewmats, size)
        if complaint is not None:
            report.frame(row, f"{complaint}: left out")
            broken.add(row)
    return broken


def _complaint(
    row: int, listing: Listing, viewmats: NDArray[np.float64], size: tuple[int, int]
) -> str | None:
    needed = [("ori_imgs", listing.images), ("parsing", listing.parsing)]
    if len(listing.torsos) > 1:  # one alone is a still that lies behind every frame
        needed.append(("torso_imgs", listing.torsos))
    for name, files in needed:
        if row not in files:
            return f"have no picture in {name}"
        complaint = looks_whole(files[row], size)
        if complaint is not None:
            return complaint
    return None if np.isfinite(viewmats[row]).all() else "have no pose in track_params.pt"


def _undecodable(clip: TrainingClip, report: Report) -> set[int]:
    broken = set()
    for row in (*clip.train_rows, *clip.val_rows, *clip.more_rows):
        try:
            clip.decode(row)
        except DatasetError:
            report.frame(row, "cannot be decoded or have no head in the mask: left out")
            broken.add(row)
    return broken


def _landmarks(
    rows: dict[str, tuple[int, ...]],
    listing: Listing,
    count: int,
    report: Report,
) -> NDArray[np.float32]:
    """(F, 68, 2), NaN where a frame has none."""
    out = np.full((count, LANDMARKS, 2), np.nan, np.float32)
    for row in sorted({row for name in SPLITS for row in rows[name]}):
        found = read_landmarks(listing.landmarks[row]) if row in listing.landmarks else None
        if found is None:
            report.frame(row, "have no landmarks (.lms): their lips are not looked at closely")
        else:
            out[row] = found
    return out


def _sound(path: Path, report: Report) -> Path | None:
    if path.is_file():
        return path
    report.notes.append(f"no {path.name}: give the features of the sound as a .npy file")
    return None
