"""Which frames a dataset's transforms_*.json name, and with what lens they were taken."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import DatasetError
from .report import Report
from .transforms import intrinsics_of, read_transforms

SPLITS = ("train", "val", "more")

Documents = Mapping[str, Mapping[str, Any]]  # by split
Rows = dict[str, tuple[int, ...]]  # by split, ascending


def read_documents(folder: Path, report: Report) -> Documents:
    """The transforms_*.json that there are; only the first split's is needed."""
    found = {}
    for name in SPLITS:
        path = _path(folder, name)
        if name == "train" or path.exists():
            with report.collecting():
                found[name] = read_transforms(path)
    if "val" not in found:
        report.notes.append("no transforms_val.json: no frames are held out to measure with")
    return found


def lens_of(folder: Path, documents: Documents, report: Report) -> tuple[float, int, int] | None:
    """(focal length, width, height) in pixels, the same in every split; None and an error in the
    report where they are not."""
    found: dict[str, tuple[float, int, int]] = {}
    for name, document in documents.items():
        with report.collecting():
            found[name] = intrinsics_of(document, _path(folder, name))
            if found[name] != next(iter(found.values())):
                raise DatasetError(
                    f"{_path(folder, name)} has another focal length or centre than the other "
                    "splits; make the dataset again"
                )
    return found.get("train")


def rows_of(folder: Path, documents: Documents, count: int, report: Report) -> Rows:
    """The frames of every split, of `count` tracked ones, each in one split only."""
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
                f"{odd} entries of {_path(folder, name).name} have an img_id that is none of the "
                f"{count} tracked frames: left out"
            )
        if twice:
            report.notes.append(
                f"{twice} entries of {_path(folder, name).name} name a frame again that is there "
                "already or in an earlier split: left out"
            )
        taken |= rows
        found[name] = tuple(sorted(rows))
    return found


def _path(folder: Path, split: str) -> Path:
    return folder / f"transforms_{split}.json"
