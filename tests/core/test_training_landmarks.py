"""The landmark loss: distances and the spread of the lip gap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.dataset.load import load_clip
from core.dataset.sound import shortened, training_track
from core.network.torch.network import FirstAttention
from core.training.batches import Batches
from core.training.config import TrainConfig
from core.training.head import first_points, new_head
from core.training.landmark_loss import SPREAD, _spread, landmark_loss_of
from tests.support.training_runs import SMALL, make_talking_clip

CONFIG: TrainConfig = SMALL


def gaps(*opening: float) -> torch.Tensor:
    """(B, 68, 2): lower lips so many pixels below the upper ones."""
    landmarks = torch.zeros(len(opening), 68, 2)
    landmarks[:, 65:68, 1] = torch.tensor(opening)[:, None]
    return landmarks


def test_the_spread_is_the_deviation_of_the_gap() -> None:
    assert float(_spread(gaps(1, 5))) == pytest.approx(2, abs=1e-3)
    still = gaps(3, 3).requires_grad_()
    spread = _spread(still)
    spread.backward()
    assert still.grad is not None and torch.isfinite(still.grad).all()
    assert float(spread.detach()) < 2e-3


def test_lips_that_do_not_move_cost_the_missing_spread(tmp_path: Path) -> None:
    clip = load_clip(make_talking_clip(tmp_path))
    track, spec = training_track(clip, CONFIG.features)
    track, _ = shortened(track, spec, CONFIG.window)
    batches = Batches(clip, track, CONFIG, clip.train_rows, "cpu")
    poses = batches.poses[batches.rows].numpy()
    head = new_head(first_points(clip, None), poses, batches.audio_dim, CONFIG, "cpu")
    landmarks = landmark_loss_of(batches, head)
    assert landmarks is not None
    x, first = head.field(landmarks.points)
    count = len(head)
    assert first is not None
    others = FirstAttention(first.agents, first.shares[count:])
    distance, loss = (landmarks.loss(0, 32, x[count:], others, spread) for spread in (False, True))
    rows = batches.landmark_sample(0, 32).rows
    true = float(_spread(torch.from_numpy(clip.landmarks[rows])))
    assert true > 0.5
    assert float((loss - distance).detach()) == pytest.approx(SPREAD * true, rel=0.2)
    loss.backward()
    audio = head.network.get_parameter("audio_net.encoder_conv.0.weight").grad
    assert audio is not None and float(audio.abs().max()) > 0


def test_a_clip_without_landmarks_has_no_landmark_loss(tmp_path: Path) -> None:
    clip = load_clip(make_talking_clip(tmp_path))
    clip.landmarks[:] = np.nan
    track, _ = training_track(clip, CONFIG.features)
    batches = Batches(clip, track, CONFIG, clip.train_rows, "cpu")
    poses = batches.poses[batches.rows].numpy()
    head = new_head(first_points(clip, None), poses, batches.audio_dim, CONFIG, "cpu")
    assert landmark_loss_of(batches, head) is None
