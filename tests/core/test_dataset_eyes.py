"""au.csv: rows are joined to frames by number or by time, never by counting where both exist."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.dataset.eyes import read_eyes
from core.errors import DatasetError


def eyes_from(folder: Path, lines: list[str], count: int) -> tuple[np.ndarray, list[str]]:
    (folder / "au.csv").write_text("\n".join(lines) + "\n")
    notes: list[str] = []
    return read_eyes(folder / "au.csv", count, notes), notes


def test_eyes_are_joined_by_frame_and_not_by_counting_rows(tmp_path: Path) -> None:
    values = np.linspace(0, 2, 40)
    expected = values / 2
    for first in (0, 1, 751):  # a script's numbers, OpenFace's, those of a longer clip
        rows = [f"{first + i}, 0.9, {v:.17g}" for i, v in enumerate(values)]
        eyes, notes = eyes_from(tmp_path, ["frame, success, AU45_r", *rows], 40)
        np.testing.assert_array_equal(eyes, expected)
        assert notes == []
        # A second face in frame 7, frames 20 and 21 lost: later frames keep their own values.
        spoiled = [*rows[:8], f"{first + 7}, 0.9, 0", *rows[8:20], *rows[22:]]
        eyes, notes = eyes_from(tmp_path, ["frame, success, AU45_r", *spoiled], 40)
        np.testing.assert_allclose(eyes, expected, atol=1e-12)  # a line through the gap
        assert len(notes) == 1 and "38 rows for 40 frames" in notes[0]
    with pytest.raises(DatasetError, match="35 rows"):
        eyes_from(tmp_path, ["frame, success, AU45_r", *rows[:35]], 40)


def test_eyes_of_another_rate_are_joined_by_their_time_stamps(tmp_path: Path) -> None:
    times = np.arange(60) / 30  # two seconds at 30 rows a second
    rows = [f"{i + 1}, {t:.3f}, {0.5 * t:.17g}" for i, t in enumerate(times)]
    eyes, notes = eyes_from(tmp_path, ["frame, timestamp, AU45_r", *rows], 50)
    np.testing.assert_allclose(eyes[:49], 0.25 * np.arange(49) / 25, atol=2e-4)
    assert len(notes) == 1 and "30" in notes[0] and "time stamps" in notes[0]
    # As many rows as frames are the frames, whatever rate their program believed in.
    eyes, notes = eyes_from(tmp_path, ["frame, timestamp, AU45_r", *rows], 60)
    np.testing.assert_allclose(eyes, 0.25 * times, atol=1e-12)
    assert notes == []
