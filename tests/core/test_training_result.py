"""The parts of a dataset that go into the avatar."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.dataset.load import TrainingClip, load_clip
from core.errors import DatasetError
from core.training.result import background_for, track_of
from tests.support.training_inputs import make_clip


@pytest.fixture
def clip(tmp_path: Path) -> TrainingClip:
    return load_clip(make_clip(tmp_path / "d"))


def test_a_frame_without_a_pose_keeps_its_place_in_the_track(clip: TrainingClip) -> None:
    """Row i of the track belongs to the sound at i / 25 s: no row may be left out."""
    true = clip.viewmats.copy()
    for row in (0, 1, 7):
        clip.viewmats[row] = np.nan
    track = track_of(clip)
    assert len(track) == len(true)
    for row, source in ((0, 2), (1, 2), (2, 2), (6, 6), (7, 6), (8, 8)):
        np.testing.assert_array_equal(track.viewmats[row], true[source].astype(np.float32))
    np.testing.assert_array_equal(track.eyes, clip.eyes)


def test_the_background_is_read_before_the_training(clip: TrainingClip) -> None:
    images, row = background_for(clip)
    assert row == 0 and images.torso is not None
    assert images.image.shape == (clip.height, clip.width, 3)
    (clip.folder / "bc.jpg").unlink()
    with pytest.raises(DatasetError, match=r"bc\.jpg"):
        background_for(clip)
