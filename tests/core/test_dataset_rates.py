"""Frames cut at another rate than 25: an error that names it; a second more or less is a note."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.dataset.load import TrainingClip, load_clip
from core.dataset.rates import FILM_RATES, likely_rate
from core.dataset.sound import training_track
from core.errors import DatasetError
from tests.support.training_inputs import RATE, noise, write_wav


@pytest.fixture
def lasting(clip_folder: Path):
    """A clip that has poses for that many frames, and a sound of that many seconds."""
    clip = load_clip(clip_folder)

    def make(frames: int, seconds: float) -> TrainingClip:
        write_wav(clip_folder / "aud.wav", noise(round(seconds * RATE)))
        viewmats = np.tile(np.eye(4), (frames, 1, 1))
        return replace(clip, viewmats=viewmats, more_rows=(), sound_more=None)

    return make


@pytest.mark.parametrize("rate", [23.976, 24, 29.97, 30, 50, 60, 15, 12.5])
@pytest.mark.parametrize("tail", [-0.3, 0.0, 0.3])
def test_the_likely_rate_is_named(lasting, rate: float, tail: float) -> None:
    clip = lasting(round(60 * rate), 60 + tail)
    with pytest.raises(DatasetError, match="into frames at") as caught:
        training_track(clip)
    said = str(caught.value)
    near = [each for each in FILM_RATES if abs(each / rate - 1) < 0.002]  # 24 and 23.976
    assert any(f"at {each:g} a second;" in said for each in near)
    assert "\n" not in said and "25" in said


def test_ready_features_are_compared_too(lasting, tmp_path: Path) -> None:
    np.save(tmp_path / "aud.npy", np.zeros((1500, 16, 29), np.float32))
    with pytest.raises(DatasetError, match=r"frames at (30|29\.97) a second"):
        training_track(lasting(1800, 60), "deepspeech", files=[tmp_path / "aud.npy"])


@pytest.mark.parametrize(("apart", "said"), [(-1.0, "ends 1.0 s before"), (1.2, "lasts 1.2 s lon")])
def test_a_second_is_a_note(lasting, apart: float, said: str) -> None:
    notes: list[str] = []
    training_track(lasting(500, 20 + apart), notes=notes)
    assert len(notes) == 1 and said in notes[0]


def test_rates_are_told_apart() -> None:
    assert likely_rate(2400, 2500) == 24 and likely_rate(2500, 2500) is None
    assert likely_rate(2550, 2500) is None and likely_rate(0, 3) is None
    assert likely_rate(5994, 2500) == 59.94
