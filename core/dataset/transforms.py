"""transforms_train.json, _val.json and _more.json: the lens, the frames of each split, their poses
and their place in the sound. Spellings of other tools are read too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError
from ..records.arrays import Float64
from ..system.files import read_bounded
from .report import Report

MAX_TEXT = 256 * 2**20  # bytes of one document
MAX_ROWS = 10**6  # frames of a dataset; eleven hours
SPLITS = ("train", "val", "more")
AXES = np.diag([1.0, -1.0, -1.0])  # from the field's cameras, which look along -z
TENTHS = 10.0  # its matrices have a tenth of the translation in decimetres
LEAST_RIGID = 0.1  # largest deviation of a matrix from a rotation that rounding explains
SQUARE = 0.01  # relative difference of the two focal lengths of square pixels

Documents = Mapping[str, Mapping[str, Any]]  # by split
Rows = dict[str, tuple[int, ...]]  # frame numbers by split, ascending
Lens = tuple[float, int, int]  # focal length, width, height in pixels


def read_documents(folder: Path, report: Report) -> Documents:
    """The documents that exist; "train" must. Their values are unchecked."""
    found = {}
    for name in SPLITS:
        path = _path(folder, name)
        if name == "train" or path.exists():
            with report.collecting():
                found[name] = _read(path)
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_bounded(path, DatasetError, MAX_TEXT))
    except (ValueError, RecursionError):
        raise DatasetError(f"{path} is not valid JSON; make the dataset again") from None
    return document if isinstance(document, dict) else {}


def lens_of(folder: Path, documents: Documents, report: Report) -> Lens | None:
    """The lens that every document names; None and an error in the report if they differ or name
    none."""
    found: dict[str, Lens] = {}
    for name, document in documents.items():
        with report.collecting():
            found[name] = _lens(document, _path(folder, name))
            if found[name] != next(iter(found.values())):
                raise DatasetError(
                    f"{_path(folder, name)} has another focal length or centre than the other "
                    "splits; make the dataset again"
                )
    return found.get("train")


def _lens(document: Mapping[str, Any], path: Path) -> Lens:
    """The principal point is the picture's centre, as in the official cameras. Spellings:
    focal_len, cx, cy; fl_x, fl_y, w, h; a number or a list of one."""
    focal = _pixels(document, path, "focal_len", "fl_x")
    second = _pixels(document, path, "fl_y", "focal_len", "fl_x")
    if abs(second / focal - 1) > SQUARE:
        raise DatasetError(
            f"{path}: fl_x is {focal:g} and fl_y {second:g}, so the pixels are not square; scale "
            "the pictures first"
        )
    sides = []
    for side, middle in (("w", "cx"), ("h", "cy")):
        sides.append(
            _pixels(document, path, side)
            if side in document and middle not in document
            else 2 * _pixels(document, path, middle)
        )
    return (focal + second) / 2, round(sides[0]), round(sides[1])


def _pixels(document: Mapping[str, Any], path: Path, *names: str) -> float:
    """The first of `names` that the document has."""
    value = next((document[name] for name in names if name in document), None)
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
        raise DatasetError(f"{path}: {names[0]} is missing or not a positive number of pixels")
    return float(value)


def rows_of(folder: Path, documents: Documents, count: int, report: Report) -> Rows:
    """The frames of every split, by img_id, out of `count` tracked ones; each in one split only."""
    found: Rows = {}
    taken: set[int] = set()
    for name in SPLITS:
        rows: set[int] = set()
        odd = twice = 0
        for entry in _entries(documents, name):
            row = _number_of(entry)
            if row is None or row >= count:
                odd += 1
            elif row in taken or row in rows:
                twice += 1
            else:
                rows.add(row)
        if odd:
            report.notes.append(
                f"{odd} entries of {_path(folder, name).name} have an img_id outside the "
                f"{count} tracked frames: left out"
            )
        if twice:
            report.notes.append(
                f"{twice} entries of {_path(folder, name).name} repeat a frame of this "
                "or an earlier split: left out"
            )
        taken |= rows
        found[name] = tuple(sorted(rows))
    return found


def poses_of(documents: Documents) -> Float64:
    """(F, 4, 4) head's frame to camera of the frames up to the last one that is named, NaN where
    one has no matrix; F is 0 if none has."""
    found: dict[int, Float64] = {}
    for name in SPLITS:
        for entry in _entries(documents, name):
            row, viewmat = _number_of(entry), _viewmat(entry)
            if row is not None and viewmat is not None:
                found.setdefault(row, viewmat)
    out = np.full((max(found, default=-1) + 1, 4, 4), np.nan)
    for row, viewmat in found.items():
        out[row] = viewmat
    return out


def sound_rows_of(documents: Documents, count: int) -> NDArray[np.int64] | None:
    """(count,) the row of the sound for each frame, by aud_id; frames without one lie between their
    neighbours. Frames of transforms_more.json have a sound of their own, in their order. None if
    every frame has its own row."""
    offsets: dict[int, int] = {}
    for name in SPLITS:
        for entry in _entries(documents, name):
            row = _number_of(entry)
            sound = row if name == "more" else _whole(entry.get("aud_id", row))
            if row is not None and sound is not None and row < count:
                offsets.setdefault(row, sound - row)
    if not any(offsets.values()):
        return None
    rows = sorted(offsets)
    between = np.interp(np.arange(count), rows, [offsets[row] for row in rows])
    return np.asarray(np.maximum(np.arange(count) + np.rint(between), 0), np.int64)


def first_and_last(documents: Documents) -> tuple[int, int] | None:
    """The lowest and the highest frame that is named; None if there is none."""
    named = [_number_of(entry) for name in SPLITS for entry in _entries(documents, name)]
    rows = [row for row in named if row is not None]
    return (min(rows), max(rows)) if rows else None


def _entries(documents: Documents, split: str) -> Iterator[Mapping[str, Any]]:
    entries = documents.get(split, {}).get("frames")
    for entry in entries if isinstance(entries, list) else []:
        yield entry if isinstance(entry, dict) else {}


def _number_of(entry: Mapping[str, Any]) -> int | None:
    """The frame of an entry: img_id, or the number at the end of its file_path's name."""
    if "img_id" in entry or not isinstance(entry.get("file_path"), str):
        return _whole(entry.get("img_id"))
    digits = re.search(r"(\d{1,12})(?:\.\w*)?$", PurePath(entry["file_path"]).name)
    return _whole(int(digits[1])) if digits else None


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < MAX_ROWS else None


def _viewmat(entry: Mapping[str, Any]) -> Float64 | None:
    """(4, 4) of transform_matrix, the camera in the head's frame (docs/method.md §5.1)."""
    try:
        matrix = np.array(entry.get("transform_matrix"), np.float64)
    except (ValueError, TypeError):
        return None
    if matrix.shape not in ((4, 4), (3, 4)) or not np.isfinite(matrix).all():
        return None
    left, _, right = np.linalg.svd(matrix[:3, :3])
    turn = left @ right
    if np.abs(turn - matrix[:3, :3]).max() > LEAST_RIGID or np.linalg.det(turn) < 0:
        return None
    viewmat = np.eye(4)
    viewmat[:3, :3] = AXES @ turn.T
    viewmat[:3, 3] = -TENTHS * (viewmat[:3, :3] @ matrix[:3, 3])
    return viewmat


def _path(folder: Path, split: str) -> Path:
    return folder / f"transforms_{split}.json"
