"""Interlaced pictures become whole ones, whether the file reports them or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

av = pytest.importorskip("av", reason="needs PyAV: make prepare")

from core.prepare.options import PrepareOptions  # noqa: E402
from core.prepare.step import Step  # noqa: E402
from core.prepare.video.clock import frames  # noqa: E402
from core.prepare.video.container import film_of  # noqa: E402
from core.prepare.video.deinterlace import CombSearch  # noqa: E402

from ..support.videos import GOLDEN, encoded, pictures, whole  # noqa: E402


def moving_bar() -> list[np.ndarray]:
    """24 moments (96, 128, 3)."""
    moments = []
    for time in range(24):
        pixels = np.full((96, 128, 3), 40, np.uint8)
        pixels[:, 4 * time : 4 * time + 16] = 220
        moments.append(pixels)
    return moments


def woven(moments: list[np.ndarray], later: int = 0) -> list[Any]:
    """Pictures of two moments each: the lines of parity `later` show the later one."""
    out = []
    for early, late in zip(moments[::2], moments[1::2], strict=True):
        pixels = early.copy()
        pixels[later::2] = late[later::2]
        out.append(av.VideoFrame.from_ndarray(pixels, format="rgb24"))
    return out


def combs_of(pictures: list[np.ndarray]) -> float:
    """The strongest difference of a picture's lines from those around them."""
    return max(np.abs(p[1:-1] - (p[:-2] + p[2:]) / 2).mean() for p in pictures)


def test_interlaced_pictures_have_no_combs(tmp_path: Path) -> None:
    # The bottom field is the first, as the encoder writes.
    options = {"x264-params": "bff=1", "crf": "10"}
    path = encoded(tmp_path / "a.mp4", woven(moving_bar()), options=options)
    film = film_of(path)
    assert film.interlaced
    found = [whole(film, frame).astype(int) for frame, _ in frames(film, 0, None)]
    assert len(found) == 12
    assert combs_of(found[1:-1]) < 3
    # Picture by picture the bar is where its first field had it.
    places = [np.flatnonzero(pixels.mean((0, 2)) > 130).mean() for pixels in found]
    assert np.abs(np.array(places) - (8 * np.arange(12) + 7.5)).max() < 2


@pytest.mark.parametrize("later", [0, 1])
def test_combs_that_the_file_does_not_report(tmp_path: Path, later: int) -> None:
    """A person's film of 50 fields a second whose pictures are marked as progressive."""
    moments = pictures()
    path = encoded(tmp_path / "a.mp4", woven(moments, later), options={"crf": "10"})
    film = film_of(path)
    assert not film.interlaced
    search = CombSearch()
    as_they_are = [frame for frame, _ in frames(film, 0, None)]
    for number, frame in enumerate(as_they_are):
        search.add(number, frame)
    assert search.found and search.combed > 0.8 * search.pictures
    found = [whole(film, frame) for frame, _ in frames(film, 0, None, combed=True)]
    assert len(found) == len(moments) // 2
    # Where the head moves it is seen at the moment of the field that is shown first.
    true, other = (np.stack(moments[first::2]).astype(int) for first in (0, 1))
    moving = np.abs(true - other).max(3) > 25
    combed = np.stack([whole(film, frame) for frame in as_they_are])
    errors = [np.abs(rows - true)[moving].mean() for rows in (np.stack(found), combed)]
    assert moving.sum() > 500 and errors[0] < 0.75 * errors[1]


def test_pictures_without_combs_stay_as_they_are(tmp_path: Path) -> None:
    """A picture of a fine grid has lines like combs, but they stand still or move whole."""
    grid = np.full((96, 128, 3), 60, np.uint8)
    grid[::2, 40:90] = 200
    moments = [np.roll(grid, 3 * step, axis=1) for step in range(24)]
    images = [av.VideoFrame.from_ndarray(pixels, format="rgb24") for pixels in moments]
    for name, made in (("grid", images), ("head", None)):
        path = tmp_path / f"{name}.mp4" if made else GOLDEN
        film = film_of(encoded(path, made, options={"crf": "10"}) if made else path)
        search = CombSearch()
        for number, (frame, _) in enumerate(frames(film, 0, None)):
            search.add(number, frame)
        assert search.pictures >= 8 and not search.found, name


def test_a_film_with_unreported_combs_is_prepared_without(tmp_path: Path) -> None:
    pytest.importorskip("mediapipe", reason="needs mediapipe: make prepare")
    from core.prepare.frames import examine_video, write_frames

    moments = pictures() * 2
    path = encoded(tmp_path / "a.mp4", woven(moments), options={"crf": "10"})
    notes: list[str] = []
    step = Step(
        path, tmp_path / "out", PrepareOptions(size=128), "look", lambda *seen: None,
        notes.append, lambda: False,
    )  # fmt: skip
    step.make("prepare")
    facts = examine_video(step, False)
    assert facts["interlaced"] and facts["combed"]
    assert "the file does not say so" in " ".join(notes)
    write_frames(step, facts, False)
    without = [step.pixels(row).astype(int) for row in range(facts["frames"])]
    write_frames(step, {**facts, "combed": False}, False)
    combed = [step.pixels(row).astype(int) for row in range(facts["frames"])]
    changed = [np.abs(a - b).mean() for a, b in zip(without, combed, strict=True)]
    assert max(changed) > 0.5
