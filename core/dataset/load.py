"""The dataset folder of a training: pictures, masks, poses, eyes and sound of one talking head.

Layout of GaussianTalker, ER-NeRF and EGSTalker, as it is (docs/method.md §5.1):

    ori_imgs/{i}.jpg or .png and {i}.lms   parsing/{i}.png   torso_imgs/{i}.png (RGBA)   bc.jpg
    track_params.pt   transforms_train.json   transforms_val.json   au.csv   aud.wav

ori_imgs, parsing, bc.jpg, track_params.pt and transforms_train.json are needed. Everything that is
wrong is told at once; what training can do without is left out and noted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError
from .clip import CACHE_BYTES, Box, Frame, TrainingClip
from .files import LANDMARKS, Listing, list_frames, looks_whole, read_landmarks
from .index import SPLITS, Rows, lens_of, read_documents, rows_of
from .pictures import read_picture
from .report import Report
from .track import eyes_of, read_track
from .visual_hull import points_from_masks

__all__ = ["Box", "Frame", "TrainingClip", "load_clip"]

MIN_ROWS = 8  # frames without which there is nothing to learn from
HULL_POINTS = 30_000
TRIED = 8  # frames that even a fast check decodes


def load_clip(
    folder: str | Path, *, check: Literal["fast", "all"] = "fast", cache_bytes: int = CACHE_BYTES
) -> TrainingClip:
    """The dataset in `folder`. check: "fast" looks at the first and last bytes of every picture and
    decodes a few frames, "all" decodes every one, as "fast" does where one of the few is broken.
    Frames that are broken are left out of the splits and noted. cache_bytes: decoded frames that
    are kept.

    DatasetError, one line that tells everything that is wrong: no such folder, files that are
    missing or damaged, too few whole frames. MissingPackageError: Pillow, torch."""
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f"{folder} is no folder; give the dataset's own folder")
    report = Report()
    listing = Listing({}, {}, {}, {})
    with report.collecting():
        listing = list_frames(folder)
    documents = read_documents(folder, report)
    lens = lens_of(folder, documents, report)
    viewmats, points = read_track(folder, listing, report)
    eyes = eyes_of(folder, len(viewmats), report)
    if lens is not None:
        with report.collecting():
            read_picture(folder / "bc.jpg", "RGB", lens[1:])
    if lens is None or report.errors:
        report.notes.clear()
        report.finish()
    assert lens is not None  # or an error was raised
    rows = rows_of(folder, documents, len(viewmats), report)
    named = len(rows["train"])
    more_start = min(rows["more"], default=len(viewmats))
    if not listing.torsos:
        report.notes.append("no torso_imgs: bc.jpg alone lies behind the head")
    rows = _without(rows, _broken(rows, listing, viewmats, lens[1:], report))
    clip = TrainingClip(
        folder=folder,
        focal=lens[0],
        width=lens[1],
        height=lens[2],
        train_rows=rows["train"],
        val_rows=rows["val"],
        more_rows=rows["more"],
        viewmats=viewmats,
        eyes=eyes,
        landmarks=_landmarks(rows, listing, len(viewmats), report),
        points=np.zeros((0, 3)) if points is None else points,
        sound=_sound(folder / "aud.wav", report),
        sound_more=_sound(folder / "aud_more.wav", report) if rows["more"] else None,
        more_start=more_start,
        notes=(),
        listing=listing,
        cache_bytes=cache_bytes,
    )
    if check == "all" or not _some_decode(clip):
        rows = _without(rows, _undecodable(clip, _all(rows), report))
        clip.train_rows, clip.val_rows, clip.more_rows = (rows[name] for name in SPLITS)
    if len(clip.train_rows) < MIN_ROWS:
        report.errors.append(
            f"{len(clip.train_rows)} of the {named} frames that {folder / 'transforms_train.json'} "
            f"names are whole, at least {MIN_ROWS} are needed; make the dataset again"
        )
    elif points is None:
        with report.collecting():
            clip.points = points_from_masks(clip, HULL_POINTS)
    clip.notes = report.finish()
    return clip


def _all(rows: Rows) -> list[int]:
    return sorted({row for name in SPLITS for row in rows[name]})


def _without(rows: Rows, broken: set[int]) -> Rows:
    return {name: tuple(row for row in rows[name] if row not in broken) for name in SPLITS}


def _broken(
    rows: Rows,
    listing: Listing,
    viewmats: NDArray[np.float64],
    size: tuple[int, int],
    report: Report,
) -> set[int]:
    """Frames that cannot be trained on, as far as names, sizes and ends of files tell."""
    broken = set()
    for row in _all(rows):
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


def _some_decode(clip: TrainingClip) -> bool:
    rows = clip.train_rows
    tried = {rows[k] for k in np.linspace(0, len(rows) - 1, TRIED).astype(int)} if rows else set()
    return all(_why_not(clip, row) is None for row in tried)


def _undecodable(clip: TrainingClip, rows: list[int], report: Report) -> set[int]:
    why = {row: reason for row in rows if (reason := _why_not(clip, row)) is not None}
    for row in why:
        report.frame(row, "cannot be decoded or used: left out")
    if why:
        report.notes.append(
            f"the first frame that cannot be decoded or used: {min(why.items())[1]}"
        )
    return set(why)


def _why_not(clip: TrainingClip, row: int) -> str | None:
    try:
        clip.decode(row)
    except DatasetError as error:
        return str(error)
    return None


def _landmarks(rows: Rows, listing: Listing, count: int, report: Report) -> NDArray[np.float32]:
    """(F, 68, 2), NaN where a frame has none."""
    out = np.full((count, LANDMARKS, 2), np.nan, np.float32)
    for row in _all(rows):
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
