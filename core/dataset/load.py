"""Open a dataset folder: for an avatar's background and track, or for a training.

Layout of GaussianTalker, ER-NeRF and EGSTalker, unchanged (docs/method.md §5.1):

    ori_imgs/{i}.jpg or .png and {i}.lms   parsing/{i}.png   torso_imgs/{i}.png (RGBA)   bc.jpg
    bc_imgs/{i}.jpg, if the background moves
    track_params.pt   transforms_train.json   transforms_val.json   au.csv   aud.wav

An avatar needs bc.jpg and transforms_train.json; a training also ori_imgs, parsing and
track_params.pt. Both report everything that is wrong in one error; optional parts that are missing
are noted.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ..avatar.framing import head_camera
from ..errors import CameraError, DatasetError
from ..records.arrays import Float32, Float64
from ..records.avatar import Background, Track
from ..records.camera import Camera
from .clip import CACHE_BYTES, Box, Frame, TrainingClip
from .eyes import read_eyes
from .files import Listing, list_frames
from .idle import of_frames
from .landmarks import landmarks_of
from .masks import notes_of
from .pictures import fault_of, read_background, read_picture
from .report import Report
from .track import avatar_track, read_track
from .transforms import (
    SPLITS,
    Documents,
    Lens,
    Rows,
    first_and_last,
    lens_of,
    read_documents,
    rows_of,
    sound_rows_of,
)
from .visual_hull import points_from_masks

__all__ = ["Box", "Dataset", "Frame", "TrainingClip", "load_clip", "load_dataset"]

MIN_ROWS = 8  # whole frames that a training needs
HULL_POINTS = 30_000
TRIED = 8  # frames that even a fast check decodes


@dataclass(frozen=True, eq=False)
class Dataset:
    """The parts of a dataset that an avatar contains. camera: focal length and size of the clip,
    pose of the torso's frame. notes: what was missing or repaired, one line each."""

    camera: Camera
    background: Background
    track: Track | None
    notes: tuple[str, ...]


def load_dataset(folder: str | Path, torso_frame: int | None = None) -> Dataset:
    """The parts of a dataset folder that an avatar contains. torso_frame: the frame of the torso
    picture and of the still pose, None for the first picture.

    DatasetError, one line that names everything that is missing or wrong. MissingPackageError:
    Pillow, torch."""
    folder = _checked(folder)
    report = Report()
    documents = read_documents(folder, report)
    lens = lens_of(
        folder, {name: documents[name] for name in ("train",) if name in documents}, report
    )
    listing = Listing({}, {}, {}, {})
    with report.collecting():
        listing = list_frames(folder, needed=False)
    if torso_frame is None:
        torso_frame = min(listing.torsos, default=None)
    if torso_frame is None:
        report.notes.append("no torso_imgs: the background has no torso")
    background = track = None
    if lens is not None:
        with report.collecting():
            background = read_background(folder, listing.torsos, torso_frame, lens[1:])
    with report.collecting():
        track = avatar_track(folder, listing, documents, report)
    if background is None or lens is None or report.errors:
        report.fail()
    viewmat = head_camera().viewmat
    if track is not None:
        row = min(torso_frame or 0, len(track) - 1)
        viewmat = track.viewmats[row].astype(np.float64)
        track = of_frames(track, _all(rows_of(folder, documents, len(track), report)))
    focal, width, height = lens
    try:
        camera = Camera(viewmat, focal, focal, width / 2, height / 2, width, height)
    except CameraError as error:
        raise DatasetError(f"{folder / 'transforms_train.json'}: {error}") from None
    return Dataset(camera, background, track, report.finish())


def load_clip(
    folder: str | Path, *, check: Literal["fast", "all"] = "fast", cache_bytes: int = CACHE_BYTES
) -> TrainingClip:
    """The dataset in `folder` for training and evaluation. check: "fast" reads the first and last
    bytes of every picture and decodes a few frames; "all" decodes every one, as "fast" does if one
    of the few is broken. Broken frames are left out of the splits and noted. cache_bytes: limit of
    the cache of decoded frames.

    DatasetError, one line that names everything that is wrong: no such folder, files that are
    missing or damaged, too few whole frames. MissingPackageError: Pillow, torch."""
    folder = _checked(folder)
    report = Report()
    listing = Listing({}, {}, {}, {})
    with report.collecting():
        listing = list_frames(folder)
    documents = read_documents(folder, report)
    if "val" not in documents:
        report.notes.append("no transforms_val.json: no frames are held out to measure with")
    lens = lens_of(folder, documents, report)
    viewmats, points = read_track(folder, listing, documents, report)
    listing = _from_zero(listing, documents, len(viewmats), report)
    count = len(viewmats)
    eyes = np.zeros(count)
    with report.collecting():
        eyes = read_eyes(
            folder,
            count,
            lambda: landmarks_of(listing.landmarks, range(count), count),
            report.notes,
        )
    if lens is not None:
        with report.collecting():
            read_picture(folder / "bc.jpg", "RGB", lens[1:])
    if lens is None or report.errors:
        report.fail()
    rows = rows_of(folder, documents, count, report)
    named = len(rows["train"])
    more_start = min(rows["more"], default=count)
    if not listing.torsos:
        report.notes.append("no torso_imgs: only bc.jpg is behind the head")
    sound_rows = sound_rows_of(documents, count)
    if sound_rows is not None:
        report.notes.append("the frames take their sound from aud_id, which is not their img_id")
    rows = _without(rows, _broken(rows, listing, viewmats, lens, report))
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
        landmarks=_landmarks(rows, listing, count, report),
        points=np.zeros((0, 3)) if points is None else points,
        sound=_sound(folder / "aud.wav", report),
        sound_more=_sound(folder / "aud_more.wav", report) if rows["more"] else None,
        more_start=more_start,
        notes=(),
        listing=listing,
        sound_rows=sound_rows,
        cache_bytes=cache_bytes,
    )
    if clip.train_rows:
        report.notes += _mask_notes(clip)
    if check == "all" or not _some_decode(clip):
        rows = _without(rows, _undecodable(clip, _all(rows), report))
        train, val, more = (rows[name] for name in SPLITS)
        clip = replace(clip, train_rows=train, val_rows=val, more_rows=more)
    if len(clip.train_rows) < MIN_ROWS:
        report.errors.append(
            f"{len(clip.train_rows)} of the {named} frames that {folder / 'transforms_train.json'} "
            f"names are whole, at least {MIN_ROWS} are needed; make the dataset again"
        )
    elif points is None:
        with report.collecting():
            clip = replace(clip, points=points_from_masks(clip, HULL_POINTS))
    return replace(clip, notes=report.finish())


def _checked(folder: str | Path) -> Path:
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder; give the dataset's own folder")
    return folder


def _all(rows: Rows) -> list[int]:
    return sorted({row for name in SPLITS for row in rows[name]})


def _without(rows: Rows, broken: set[int]) -> Rows:
    return {name: tuple(row for row in rows[name] if row not in broken) for name in SPLITS}


def _broken(
    rows: Rows, listing: Listing, viewmats: Float64, lens: Lens, report: Report
) -> set[int]:
    """Frames that cannot be trained on, judged by the names, sizes and ends of their files."""
    broken = set()
    for row in _all(rows):
        complaint = _complaint(row, listing, viewmats, lens[1:])
        if complaint is not None:
            report.frame(row, f"{complaint}: left out")
            broken.add(row)
    return broken


def _complaint(row: int, listing: Listing, viewmats: Float64, size: tuple[int, int]) -> str | None:
    """The reason why a frame cannot be used, worded to follow "N frames "; None if it can be
    used."""
    needed = [("ori_imgs", listing.images), ("parsing", listing.parsing)]
    if len(listing.torsos) > 1:  # a single one is used for every frame
        needed.append(("torso_imgs", listing.torsos))
    if row in listing.backgrounds:
        needed.append(("bc_imgs", listing.backgrounds))
    for name, files in needed:
        if row not in files:
            return f"have no picture in {name}"
        complaint = fault_of(files[row], size)
        if complaint is not None:
            return complaint
    return None if np.isfinite(viewmats[row]).all() else "have no pose in track_params.pt"


def _some(rows: tuple[int, ...]) -> list[int]:
    """A few of `rows`, spread evenly."""
    return sorted(
        {rows[k] for k in np.linspace(0, len(rows) - 1, TRIED).astype(int)} if rows else []
    )


def _some_decode(clip: TrainingClip) -> bool:
    return all(_why_not(clip, row) is None for row in _some(clip.train_rows))


def _mask_notes(clip: TrainingClip) -> list[str]:
    pictures = []
    for row in _some(clip.train_rows):
        with suppress(DatasetError):  # reported with its frame
            pictures.append(clip.parsing(row))
    return notes_of(pictures) if pictures else []


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


def _landmarks(rows: Rows, listing: Listing, count: int, report: Report) -> Float32:
    """(F, 68, 2), NaN where a frame has none."""
    named = _all(rows)
    out = landmarks_of(listing.landmarks, named, count)
    for row in named:
        if np.isnan(out[row, 0, 0]):
            report.frame(row, "have no landmarks (.lms): the lip loss leaves them out")
    return out


def _from_zero(listing: Listing, documents: Documents, count: int, report: Report) -> Listing:
    """Files that count from 1, as ffmpeg does, for frames that count from 0."""
    named = first_and_last(documents)
    files = len(listing.images)
    counted = sorted(listing.images) == list(range(1, files + 1))
    if named is None or not counted or named[0] > 0 or named[1] >= files or count > files:
        return listing
    report.notes.append(
        f"the pictures count from 1 to {files} and transforms_*.json from 0: picture 1 is frame 0"
    )
    return listing.from_zero()


def _sound(path: Path, report: Report) -> Path | None:
    if path.is_file():
        return path
    report.notes.append(f"no {path.name}: give the features of the sound as a .npy file")
    return None
