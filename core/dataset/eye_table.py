"""au.csv, OpenFace's table: rows are joined to frames by their numbers or times, never counted
where one of the two is there."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError
from ..records.arrays import Float64
from ..records.timeline import ROW_RATE
from ..system.files import read_bounded
from .rates import likely_rate, rounded

MAX_TEXT = 256 * 2**20  # bytes
CLOSURE, FRAME, TIME = "AU45_r", "frame", "timestamp"
FACE, CONFIDENCE, SUCCESS = "face_id", "confidence", "success"
COLUMNS = (CLOSURE, FRAME, TIME, FACE, CONFIDENCE, SUCCESS)
SHUT = 2.0  # AU45_r of a closed eye
MOST_MISSING = 5  # frames that a table without numbers may lack, at most a tenth of all
TENTH = 10
OTHER_RATE = 0.002  # relative difference from 25 rows a second; times are rounded to milliseconds

Table = dict[str, Float64]


def read_table(path: Path, count: int, notes: list[str]) -> Float64:
    """(count,) closure in [0, 1] by frame: clip(AU45_r, 0, 2) / 2. Of several faces the one with
    most rows is used. Rows are joined by the column `frame` (from 0 or 1); by their time stamps if
    the table has another rate than 25 and does not have a row for each frame; by position if it has
    neither column. Gaps of up to a tenth of the frames are filled from their neighbours. What is
    unusual is noted. DatasetError if the table is damaged, too short, or of another rate without
    time stamps."""
    table = _one_face(_read(path), path, notes)
    rows = len(table[CLOSURE])
    allowed = min(MOST_MISSING, count // TENTH)
    numbered = FRAME in table or TIME in table
    places, spacing = _places(table, count, allowed, path, notes)
    whole = np.isfinite(table[CLOSURE])
    if SUCCESS in table:
        whole &= table[SUCCESS] > 0
    limit = max(allowed, count // TENTH) if numbered else allowed
    if _missing(places, count, spacing).sum() > limit or not whole.any():
        raise DatasetError(
            f"{path} has {rows} rows, the dataset has {count} frames; both must come from the same "
            "clip"
        )
    missing = _missing(places[whole], count, spacing)
    if missing.sum() > count / 2:
        raise DatasetError(
            f"{path}: no face was found in {missing.sum()} of {count} frames; run OpenFace again, "
            "or remove the file and the eyes are measured from the landmarks"
        )
    if missing.any():
        notes.append(
            f"au.csv has {count - missing.sum()} rows for {count} frames: the missing ones take "
            f"the values of their neighbours (the longest gap: {_longest(missing)} frames)"
        )
    values = np.clip(table[CLOSURE][whole], 0, SHUT) / SHUT
    return np.interp(np.arange(count), places[whole], values)


def _read(path: Path) -> Table:
    """The columns that are used, by name, in the order of the file; NaN where AU45_r has none."""
    try:
        text = read_bounded(path, DatasetError, MAX_TEXT).decode("utf-8-sig")
        rows = csv.reader(io.StringIO(text), strict=True)
        names = [name.strip() for name in next(rows, [])]
        if CLOSURE not in names:
            raise DatasetError(f"{path} has no column {CLOSURE}; write it with OpenFace's -aus")
        columns = {name: names.index(name) for name in COLUMNS if name in names}
        table = [[_number(row, name, at) for name, at in columns.items()] for row in rows if row]
        values = np.array(table, np.float64).reshape(-1, len(columns))
        if not np.isfinite(values[:, 0]).any() and len(values):
            raise ValueError(CLOSURE)
    except (csv.Error, ValueError):
        raise DatasetError(
            f"{path} is not a table of numbers; write it with OpenFace again"
        ) from None
    return dict(zip(columns, values.T, strict=True))


def _number(row: list[str], name: str, column: int) -> float:
    value = float(row[column]) if column < len(row) else math.inf
    if math.isinf(value) or (math.isnan(value) and name != CLOSURE):
        raise ValueError(value)
    return value


def _one_face(table: Table, path: Path, notes: list[str]) -> Table:
    """The rows of one face, at most one for each frame, in the order of the frames."""
    if FACE in table and len(ids := np.unique(table[FACE])) > 1:
        chosen = max(ids, key=lambda face: _weight(table, table[FACE] == face))
        is_chosen = table[FACE] == chosen
        notes.append(
            f"au.csv has {len(ids)} faces: face_id {chosen:g} is used, which has "
            f"{is_chosen.sum()} of the {len(is_chosen)} rows"
        )
        table = _rows(table, is_chosen)
    key = FRAME if FRAME in table else TIME
    if key not in table:
        return table
    confidence = table.get(CONFIDENCE, np.zeros(len(table[key])))
    order = np.lexsort((np.arange(len(confidence)), -confidence, table[key]))
    table = _rows(table, order)
    first = np.diff(table[key], prepend=-np.inf) > 0
    if (~first).sum() * TENTH > first.sum() and np.ptp(confidence) == 0:
        raise DatasetError(
            f"{path} has {len(first)} rows for {first.sum()} values of {key!r}: several faces that "
            f"nothing tells apart; add OpenFace's columns {FACE} or {CONFIDENCE}, or leave one face"
        )
    return _rows(table, first)


def _weight(table: Table, rows: NDArray[np.bool_]) -> tuple[float, float]:
    """Rows in which a face was found, and their mean confidence."""
    found = rows & (table[SUCCESS] > 0) if SUCCESS in table else rows
    confidence = table[CONFIDENCE][found] if CONFIDENCE in table else np.zeros(1)
    return float(found.sum()), float(confidence.mean()) if len(confidence) else 0.0


def _rows(table: Table, chosen: NDArray[np.generic]) -> Table:
    return {name: values[chosen] for name, values in table.items()}


def _places(
    table: Table, count: int, allowed: int, path: Path, notes: list[str]
) -> tuple[Float64, float]:
    """The place of each row in frames, ascending, and the usual distance between two."""
    rows = len(table[CLOSURE])
    frames = _frames(table[FRAME]) if FRAME in table else np.arange(rows, dtype=np.float64)
    surplus = int(frames[-1]) + 1 - count if rows else -count
    if TIME in table and rows > 1:
        times, rate = _seconds(table[TIME], frames, FRAME in table)
        late = times[-1] * ROW_RATE + 1 - count
        # A table with a row for each frame has the clip's rate, whatever its time stamps say: for a
        # folder of pictures OpenFace assumes 30 a second.
        if abs(rate / ROW_RATE - 1) > OTHER_RATE and not (
            abs(surplus) <= allowed and abs(surplus) <= abs(late)
        ):
            notes.append(
                f"au.csv has {rounded(rate):.4g} rows a second: joined to frames by its time stamps"
            )
            _note_rest(late, notes)
            return times * ROW_RATE, max(1.0, ROW_RATE / rate)
    elif abs(surplus) > allowed and (likely := likely_rate(count + surplus, count)):
        raise DatasetError(
            f"{path} has {count + surplus} rows for {count} frames and no column {TIME!r}: it "
            f"seems to come from a film of {likely:g} pictures a second; run OpenFace on the film "
            f"at {ROW_RATE:g}, or keep its time stamps"
        )
    _note_rest(surplus, notes)
    return frames, 1.0


def _note_rest(rows: float, notes: list[str]) -> None:
    if rows > MOST_MISSING:
        notes.append(
            f"au.csv goes on for {rows / ROW_RATE:.1f} s after the last frame: the rest is not used"
        )


def _seconds(times: Float64, frames: Float64, numbered: bool) -> tuple[Float64, float]:
    """Seconds after frame 0, and rows a second."""
    span = max(float(times[-1] - times[0]), 1e-9)
    if numbered:
        rate = max(float(frames[-1] - frames[0]), 1.0) / span
        return times - times[0] + frames[0] / rate, rate
    steps = np.diff(times)
    rate = max(float(np.rint(steps / np.median(steps)).sum()), 1.0) / span
    early = times[0] * rate <= 1 + MOST_MISSING  # else it was cut from a longer table
    return times if early else times - times[0], rate


def _frames(numbers: Float64) -> Float64:
    """Frame numbers from 0, of ascending ones. OpenFace counts from 1, some scripts from 0; a table
    that begins much later was cut from a longer one, and its first row is frame 0."""
    whole = np.rint(np.clip(numbers, -1, 1e9))
    first = whole[0] if len(whole) else 0.0
    return np.asarray(whole - (first if first > 1 + MOST_MISSING else min(first, 1.0)))


def _missing(places: Float64, count: int, spacing: float) -> NDArray[np.bool_]:
    """(count,) true for frames that no row is near to."""
    if not len(places):
        return np.ones(count, bool)
    after = np.clip(np.searchsorted(places, np.arange(count)), 1, max(len(places) - 1, 1))
    near = [np.abs(places[np.minimum(at, len(places) - 1)] - np.arange(count)) for at in
            (after - 1, after)]  # fmt: skip
    return np.asarray(np.minimum(*near) > 0.75 * spacing)


def _longest(missing: NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(missing.astype(np.int8), prepend=0, append=0))
    return int((edges[1::2] - edges[::2]).max())
