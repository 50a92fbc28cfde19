"""transforms_train.json, _val.json and _more.json: the lens, and which frames a split names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import DatasetError
from ..system.files import read_bounded
from .report import Report

MAX_TEXT = 256 * 2**20  # bytes of one document
SPLITS = ("train", "val", "more")

Documents = Mapping[str, Mapping[str, Any]]  # by split
Rows = dict[str, tuple[int, ...]]  # frame numbers by split, ascending
Lens = tuple[float, int, int]  # focal length, width, height in pixels


def read_documents(folder: Path, report: Report, splits: Sequence[str] = SPLITS) -> Documents:
    """The documents of `splits` that exist; "train" must. Their values are unchecked."""
    found = {}
    for name in splits:
        path = _path(folder, name)
        if name == "train" or path.exists():
            with report.collecting():
                found[name] = _read(path)
    if "val" in splits and "val" not in found:
        report.notes.append("no transforms_val.json: no frames are held out to measure with")
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
    """The principal point is the picture's centre, as in the official cameras."""
    values = []
    for key in ("focal_len", "cx", "cy"):
        value = document.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
            raise DatasetError(f"{path}: {key} is missing or not a positive number of pixels")
        values.append(float(value))
    return values[0], round(2 * values[1]), round(2 * values[2])


def rows_of(folder: Path, documents: Documents, count: int, report: Report) -> Rows:
    """The frames of every split, by img_id, out of `count` tracked ones; each in one split only."""
    found: Rows = {}
    taken: set[int] = set()
    for name in SPLITS:
        entries = documents.get(name, {}).get("frames")
        rows: set[int] = set()
        odd = twice = 0
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


def _path(folder: Path, split: str) -> Path:
    return folder / f"transforms_{split}.json"
