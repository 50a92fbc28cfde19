"""Another sound than the training's, longer and shorter than its film: frames and head motion."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.audio.extractor import computed_spec
from core.audio.features import counted, track_for
from core.avatar.motion import viewmat_at
from core.records.avatar import Avatar, Track
from core.records.voice import Waveform
from tests.support.avatar_inputs import small_avatar
from tests.support.sound_files import wav
from tests.support.training_inputs import poses, viewmat_from_track

ROWS = 50


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    """It turns its head for two seconds and ends in the middle of a turn."""
    euler, trans = poses(ROWS)
    viewmats = np.stack([viewmat_from_track(*pair) for pair in zip(euler, trans, strict=True)])
    track = Track(viewmats.astype(np.float32), np.linspace(0, 1, ROWS))
    return replace(small_avatar(), features=computed_spec("log-mel"), track=track)


@pytest.mark.parametrize(
    ("samples", "rows"), [(320, 1), (8000, 13), (640, 1), (641, 2), (16000, 25), (50 * 640, 50)]
)
def test_every_begun_25th_of_a_second_is_a_row(avatar: Avatar, samples: int, rows: int) -> None:
    voice = Waveform(np.zeros(samples, np.float32))
    assert counted(avatar, voice)[1] == len(track_for(avatar, voice)) == rows


def test_half_an_hour_is_counted_from_its_header(avatar: Avatar, tmp_path: Path) -> None:
    (tmp_path / "long.wav").write_bytes(wav(bytes(31 * 60 * 1000), rate=1000, bits=8))
    assert counted(avatar, tmp_path / "long.wav")[1] == 31 * 60 * 25


@pytest.mark.parametrize("fps", [24.0, 25.0, 60.0])
def test_the_head_does_not_jump_where_its_motion_turns_round(avatar: Avatar, fps: float) -> None:
    """Five turns of the track: no frame moves the head more than the training itself did."""
    assert avatar.track is not None
    own = np.abs(np.diff(avatar.track.viewmats.astype(np.float64), axis=0)).max() * 25
    times = np.arange(int(10 * fps)) / fps
    shown = np.stack([viewmat_at(avatar, float(time)) for time in times])
    speed = np.abs(np.diff(shown, axis=0)).max(axis=(1, 2)) * fps
    seams = np.isin(times[:-1] // (49 / 25), np.arange(1, 6)) & (times[:-1] % (49 / 25) < 2 / fps)
    assert seams.sum() >= 5
    assert speed.max() < 1.02 * own and speed[seams].max() < 1.02 * own
    assert speed.min() < own  # and it never stands still for two frames
