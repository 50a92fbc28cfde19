"""au.csv, OpenFace's table: how far the eyes are closed in every frame."""

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

MAX_TEXT = 256 * 2**20  # bytes
CLOSURE, FRAME, TIME = "AU45_r", "frame", "timestamp"
MOST_MISSING = 5  # frames that the table may lack, at most a tenth of all
OTHER_RATE = 0.02  # relative difference from 25 rows a second that counts as another rate


def read_eyes(path: Path, count: int, notes: list[str]) -> Float64:
    """(count,) closure in [0, 1] by frame: clip(AU45_r, 0, 2) / 2; all open if there is no au.csv.
    Rows are matched to frames by the column `frame` (from 0 or 1), by their time stamps if the
    table does not have 25 rows a second, and by position if it lacks these columns. A few missing
    frames are filled from their neighbours and noted. DatasetError if the table is damaged or far
    too short."""
    if not path.exists():
        notes.append("no au.csv: the eyes stay open")
        return np.zeros(count)
    table = _read(path)
    values = np.clip(table[CLOSURE], 0, 2) / 2
    allowed = min(MOST_MISSING, count // 10)
    if TIME in table and (rate := _other_rate(table[TIME], count, allowed)):
        notes.append(f"au.csv has {rate:.3g} rows a second: joined to frames by its time stamps")
        return np.interp(np.arange(count) / ROW_RATE, table[TIME] - table[TIME][0], values)
    rows = _frames(table[FRAME]) if FRAME in table else np.arange(len(values))
    found = np.full(count, np.nan)
    inside = np.flatnonzero((rows >= 0) & (rows < count))[::-1]
    found[rows[inside]] = values[inside]  # if a frame has two rows (two faces), the first counts
    missing = np.isnan(found)
    if missing.sum() > allowed:
        raise DatasetError(
            f"{path} has {len(values)} rows, track_params.pt has {count} frames; "
            "both must come from the same clip"
        )
    if missing.any():
        notes.append(
            f"au.csv has {count - missing.sum()} rows for {count} frames: the missing ones take "
            "the values of their neighbours"
        )
        found[missing] = np.interp(
            np.flatnonzero(missing), np.flatnonzero(~missing), found[~missing]
        )
    return found


def _read(path: Path) -> dict[str, Float64]:
    """The columns that are used, by name; AU45_r is always there and finite."""
    try:
        text = read_bounded(path, DatasetError, MAX_TEXT).decode()
        rows = csv.reader(io.StringIO(text), strict=True)
        names = [name.strip() for name in next(rows, [])]
        if CLOSURE not in names:
            raise DatasetError(f"{path} has no column {CLOSURE}; write it with OpenFace's -aus")
        columns = {name: names.index(name) for name in (CLOSURE, FRAME, TIME) if name in names}
        table = [[_number(row, column) for column in columns.values()] for row in rows if row]
    except (csv.Error, ValueError):
        raise DatasetError(
            f"{path} is not a table of numbers; write it with OpenFace again"
        ) from None
    values = np.array(table, np.float64).reshape(-1, len(columns))
    return dict(zip(columns, values.T, strict=True))


def _number(row: list[str], column: int) -> float:
    value = float(row[column]) if column < len(row) else math.nan
    if not math.isfinite(value):
        raise ValueError(value)
    return value


def _other_rate(times: Float64, count: int, allowed: int) -> float:
    """Rows a second of a table that covers the clip at another rate than 25; 0 if it has the clip's
    rate. A table with as many rows as frames has the clip's rate, whatever its time stamps say: for
    a folder of pictures OpenFace assumes 30 a second."""
    if len(times) < 2 or abs(len(times) - count) <= allowed or (np.diff(times) <= 0).any():
        return 0.0
    seconds = float(times[-1] - times[0])
    rate = (len(times) - 1) / seconds
    covers = abs(seconds - (count - 1) / ROW_RATE) <= (allowed + 1) / ROW_RATE
    return rate if covers and abs(rate / ROW_RATE - 1) > OTHER_RATE else 0.0


def _frames(numbers: Float64) -> NDArray[np.int64]:
    """Frame numbers from 0. OpenFace counts from 1, some scripts from 0; a table that begins much
    later was cut from a longer one, and its first row is frame 0."""
    whole = np.rint(np.clip(numbers, -1, 1e9)).astype(np.int64)
    first = int(whole.min()) if len(whole) else 0
    return whole - (first if first > 1 + MOST_MISSING else min(first, 1))
