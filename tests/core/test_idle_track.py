"""The movement that an avatar keeps from its training, where frames were left out."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from numpy.testing import assert_array_equal

from core.avatar.rotations import rotation_matrix, rotation_vector
from core.dataset.idle import BLEND, idle_track
from core.dataset.load import load_clip, load_dataset
from core.dataset.sound import training_track
from core.training.result import track_of
from tests.support.training_inputs import FRAMES, TRAIN, make_clip, write_split


def motion(count: int) -> np.ndarray:
    """(F, 4, 4) poses of a head that turns slowly and jumps by 20 degrees and 0.5 at frame 40."""
    out = np.tile(np.eye(4), (count, 1, 1))
    for row in range(count):
        angle = 0.05 * np.sin(row / 9) + (0.35 if row >= 40 else 0.0)
        out[row, :3, :3] = rotation_matrix(np.array([0.0, angle, 0.0]))
        out[row, :3, 3] = [0.5 if row >= 40 else 0.0, 0.0, 7.5]
    return out


def steps(viewmats: np.ndarray) -> tuple[float, float]:
    """Largest turn (radians) and shift (decimetres) from one row to the next."""
    turns = [
        float(np.linalg.norm(rotation_vector(b[:3, :3] @ a[:3, :3].T)))
        for a, b in itertools.pairwise(viewmats)
    ]
    return max(turns), float(np.linalg.norm(np.diff(viewmats[:, :3, 3], axis=0), axis=1).max())


def test_a_whole_clip_stays_as_it_is() -> None:
    viewmats, eyes = motion(30), np.linspace(0, 1, 30)
    track = idle_track(viewmats, eyes, range(30))
    assert_array_equal(track.viewmats, viewmats.astype(np.float32))
    assert_array_equal(track.eyes, eyes)


def test_a_head_does_not_jump_where_frames_were_left_out() -> None:
    viewmats, eyes = motion(100), np.arange(100) / 100
    rows = [*range(36), *range(40, 100)]
    track = idle_track(viewmats, eyes, rows)
    assert len(track) == 96 and track.eyes[36] == 0.4
    turn, shift = steps(track.viewmats.astype(np.float64))
    assert turn < 0.08 and shift < 0.08  # 0.35 and 0.5 at once before
    far = np.r_[0 : 36 - BLEND, 36 + BLEND : 96]
    assert_array_equal(track.viewmats[far], viewmats.astype(np.float32)[rows][far])


def test_a_dataset_with_gaps_is_read_by_number(tmp_path: Path) -> None:
    """Frames that no split names keep their rows in every table; the sound stays in step, and the
    avatar's track leaves them out."""
    folder = make_clip(tmp_path / "clip")
    used = [row for row in range(TRAIN) if row not in (6, 7, 8)]
    write_split(folder, "train", used)
    clip = load_clip(folder)
    assert clip.train_rows == tuple(used) and len(clip) == FRAMES
    assert clip.frame(9).row == 9 and not any("left out" in note for note in clip.notes)
    sound, _ = training_track(clip, "phonetic")
    whole, _ = training_track(load_clip(make_clip(tmp_path / "whole")), "phonetic")
    assert len(sound) == len(whole)
    a, b = (np.stack([track.around(row) for row in used]) for track in (sound, whole))
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.99  # only their normalisation differs
    track = track_of(clip)
    assert len(track) == FRAMES - 3
    assert_array_equal(track.viewmats[-1], clip.viewmats[-1].astype(np.float32))


def test_a_converted_avatar_leaves_the_same_frames_out(tmp_path: Path) -> None:
    folder = make_clip(tmp_path / "clip")
    whole = load_dataset(folder)
    assert whole.track is not None and len(whole.track) == FRAMES
    # The torso's frame is left out too: the still pose stays its own.
    write_split(folder, "train", [row for row in range(TRAIN) if row not in (0, 6, 7, 8)])
    found = load_dataset(folder)
    trained = track_of(load_clip(folder))
    assert found.track is not None and len(found.track) == FRAMES - 4
    np.testing.assert_allclose(found.track.viewmats, trained.viewmats, atol=1e-6)
    assert_array_equal(found.track.eyes, trained.eyes)
    assert_array_equal(found.camera.viewmat, whole.camera.viewmat)


def test_short_pieces_between_gaps_are_taken_too() -> None:
    viewmats = motion(80)
    track = idle_track(viewmats, np.zeros(80), [0, 1, 2, 38, 41, 42, 43, 70, 71])
    assert len(track) == 9 and np.isfinite(track.viewmats).all()
