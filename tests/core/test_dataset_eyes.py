"""au.csv: rows are joined to frames by number or by time, never by counting where both exist."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.dataset.eye_table import read_table
from core.dataset.eyes import read_eyes
from core.errors import DatasetError


def eyes_from(folder: Path, lines: list[str], count: int) -> tuple[np.ndarray, list[str]]:
    (folder / "au.csv").write_text("\n".join(lines) + "\n")
    notes: list[str] = []
    return read_table(folder / "au.csv", count, notes), notes


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
    rows = [f"{i + 1}, {t:.3f}, {t:.17g}" for i, t in enumerate(times)]
    eyes, notes = eyes_from(tmp_path, ["frame, timestamp, AU45_r", *rows], 50)
    np.testing.assert_allclose(eyes[:49], 0.5 * np.arange(49) / 25, atol=4e-4)
    assert len(notes) == 1 and "30" in notes[0] and "time stamps" in notes[0]
    # As many rows as frames are the frames, whatever rate their program believed in.
    eyes, notes = eyes_from(tmp_path, ["frame, timestamp, AU45_r", *rows], 60)
    np.testing.assert_allclose(eyes, 0.5 * times, atol=1e-12)
    assert notes == []


HEADER = "frame, face_id, timestamp, confidence, success, AU45_r"
COUNT = 100
TRUE = np.where(np.isin(np.arange(COUNT) // 2, (10, 30)), 2.0, 0.2)  # blinks at 20, 21 and 60, 61


@pytest.mark.parametrize("rate", [24, 29.97, 30, 50, 60])
@pytest.mark.parametrize("numbered", [True, False])
def test_blinks_stay_in_place_at_the_films_own_rate(
    tmp_path: Path, rate: float, numbered: bool
) -> None:
    rows = [
        f"{i + 1 if numbered else 0.98}, {i / rate:.3f}, {TRUE[int(i * 25 / rate)]}"
        for i in range(int(COUNT * rate / 25))
    ]
    first = "frame" if numbered else "confidence"
    eyes, notes = eyes_from(tmp_path, [f"{first}, timestamp, AU45_r", *rows], COUNT)
    shut = np.flatnonzero(eyes > 0.5)
    assert set(shut) >= {21, 61} and not set(shut) - {19, 20, 21, 22, 59, 60, 61, 62}
    assert any(f"{rate:.4g} rows" in note and "time stamps" in note for note in notes)


@pytest.mark.parametrize("rate", [24, 29.97, 30, 60])
def test_another_rate_without_times_is_an_error_that_names_it(tmp_path: Path, rate: float) -> None:
    count = 500
    for column in ("frame, ", ""):
        lines = [f"{column}AU45_r"] + [
            f"{i}, 2" if column else "2" for i in range(round(count * rate / 25))
        ]
        with pytest.raises(DatasetError, match=f"a film of {rate:g} pictures a second"):
            eyes_from(tmp_path, lines, count)


def test_a_longer_table_is_noted(tmp_path: Path) -> None:
    lines = ["frame, timestamp, AU45_r", *(f"{i}, {i / 25}, 2" for i in range(160))]
    eyes, notes = eyes_from(tmp_path, lines, COUNT)
    assert (eyes == 1).all() and "goes on for 2.4 s after the last frame" in notes[0]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_several_faces_the_one_with_most_rows_counts(
    tmp_path: Path, order: tuple[int, int]
) -> None:
    """Rows of both faces for each frame, in any order; the other one was lost now and then."""
    lines = [HEADER]
    for i in range(COUNT):
        both = [f"{i + 1}, 3, {i / 25}, 0.98, 1, {TRUE[i]}"]
        if i % 9:
            both.insert(order[0], f"{i + 1}, 1, {i / 25}, 0.98, 1, 0.5")
        lines += both
    eyes, notes = eyes_from(tmp_path, lines, COUNT)
    np.testing.assert_array_equal(eyes, TRUE / 2)
    assert len(notes) == 1 and "2 faces: face_id 3 is used" in notes[0]


def test_rows_of_a_frame_are_told_apart_by_their_confidence_or_refused(tmp_path: Path) -> None:
    def lines(other: float) -> list[str]:
        pairs = [f"{i}, {other}, 1\n{i}, 0.9, {TRUE[i]}" for i in range(COUNT)]
        return ["frame, confidence, AU45_r", *pairs]

    eyes, _ = eyes_from(tmp_path, lines(0.4), COUNT)
    np.testing.assert_array_equal(eyes, TRUE / 2)
    with pytest.raises(DatasetError, match="200 rows for 100 values of 'frame': several faces"):
        eyes_from(tmp_path, lines(0.9), COUNT)


def test_frames_without_a_face_take_the_values_of_their_neighbours(tmp_path: Path) -> None:
    """OpenFace writes 0 for them, which would be open eyes; other programs write nothing."""
    for lost in ("0, 0", "0, nan", None):
        lines = ["frame, success, AU45_r"]
        for i in range(COUNT):
            failed = 40 <= i < 48
            if not failed or lost is not None:
                lines.append(f"{i + 1}, {lost if failed else f'1, {2 - i / 50}'}")
        eyes, notes = eyes_from(tmp_path, lines, COUNT)
        np.testing.assert_allclose(eyes, 1 - np.arange(COUNT) / 100, atol=1e-12)
        assert len(notes) == 1 and "92 rows for 100 frames" in notes[0] and "gap: 8" in notes[0]
    with pytest.raises(DatasetError, match="no face was found in 60 of 100"):
        eyes_from(
            tmp_path,
            ["frame, success, AU45_r", *(f"{i}, {int(i < 40)}, 2" for i in range(100))],
            100,
        )


def faces(closed: np.ndarray) -> np.ndarray:
    """(F, 68, 2) whose lids leave 0.3 of the eyes' width open, or less."""
    points = np.zeros((len(closed), 68, 2), np.float32)
    for eye in (36, 42):
        points[:, eye : eye + 6, 0] = (0, 3, 7, 10, 7, 3)
        points[:, eye + 1 : eye + 3, 1] = -1.5 * (1 - closed)[:, None]
        points[:, eye + 4 : eye + 6, 1] = 1.5 * (1 - closed)[:, None]
    return points


def test_a_table_from_0_to_1_is_scaled_where_the_landmarks_are_sure(tmp_path: Path) -> None:
    blinking = np.zeros(COUNT)
    blinking[20:25] = blinking[60:65] = (0.4, 0.9, 1.0, 0.9, 0.4)
    rows = [f"{i}, {value}" for i, value in enumerate(blinking)]
    (tmp_path / "au.csv").write_text("\n".join(["frame, AU45_r", *rows]))
    notes: list[str] = []
    eyes = read_eyes(tmp_path, COUNT, lambda: faces(blinking), notes)
    np.testing.assert_allclose(eyes, blinking, atol=1e-9)
    assert notes == ["au.csv runs from 0 to 1, as the landmarks show: its values count twice"]
    # Eyes that never shut, or that shut elsewhere, or that nobody saw: noted, as it is.
    unknown = np.full((COUNT, 68, 2), np.nan, np.float32)
    for points in (faces(0.4 * blinking), faces(np.roll(blinking, 10)), unknown):
        notes.clear()
        eyes = read_eyes(tmp_path, COUNT, lambda points=points: points, notes)
        np.testing.assert_allclose(eyes, blinking / 2, atol=1e-9)
        assert len(notes) == 1 and "largest AU45_r in au.csv is 1.00: its eyes never" in notes[0]


def test_without_a_table_blendshapes_and_then_landmarks_show_the_eyes(tmp_path: Path) -> None:
    closed = (TRUE - 0.2) / 1.8
    points, notes = faces(closed), []
    points[70] = np.nan
    eyes = read_eyes(tmp_path, COUNT, lambda: points, notes)
    np.testing.assert_allclose(eyes, closed, atol=1e-5)
    assert notes == ["no au.csv: the eyes were measured from the landmarks"]
    shapes = np.random.default_rng(0).random((COUNT, 52)).astype(np.float32)
    shapes[:, 9] = shapes[:, 10] = closed
    np.save(tmp_path / "bs.npy", shapes)
    eyes = read_eyes(tmp_path, COUNT, lambda: points, notes)
    np.testing.assert_allclose(eyes, closed, atol=1e-6)
    assert "eyeBlink of bs.npy" in notes[1]
    np.save(tmp_path / "bs.npy", shapes[:50])
    with pytest.raises(DatasetError, match=r"shape \(50, 52\), not \(100, 52\)"):
        read_eyes(tmp_path, COUNT, lambda: points, notes)


def test_eyes_measured_on_the_real_clip(shared: Path) -> None:
    """Its landmarks alone show its blinks."""
    from core.dataset.load import load_clip

    clip = load_clip(shared / "talker_clip")
    notes: list[str] = []
    eyes = read_eyes(shared, len(clip), lambda: clip.landmarks, notes)
    assert "landmarks" in notes[0]
    assert np.corrcoef(eyes, clip.eyes)[0, 1] > 0.9
    assert ((eyes > 0.5) == (clip.eyes > 0.5)).mean() > 0.97
