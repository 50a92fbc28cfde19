"""Gaussians of the mouth's inside: where the lips open, behind them, in the colours seen there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from core.dataset.clip import TrainingClip
from core.dataset.landmarks import INNER_LIP, MOUTH, triangulate
from core.dataset.load import load_clip
from core.training.head import new_head
from core.training.mouth_inside import DEPTH, LEAST, add_inside, inside_of
from core.training.setup import open_batches
from core.training.surface import Surface
from tests.support.training_runs import (
    OFFICIAL,
    SMALL,
    gaussians_at,
    job_of,
    make_talking_clip,
    train,
)

TEETH = (250, 240, 20)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> TrainingClip:
    """With something between the lips that nothing else looks like."""
    folder = make_talking_clip(tmp_path_factory.mktemp("open"))
    found = load_clip(folder)
    for row in found.train_rows:
        path = folder / f"ori_imgs/{row}.png"
        picture = Image.open(path)
        corners = [(x, y) for x, y in found.landmarks[row][INNER_LIP].tolist()]
        ImageDraw.Draw(picture).polygon(corners, fill=TEETH)
        picture.save(path)
    return load_clip(folder)


def mean_places(clip: TrainingClip) -> np.ndarray:
    rows = list(clip.train_rows)
    middle = (clip.width / 2, clip.height / 2)
    places = triangulate(clip.landmarks[rows], clip.viewmats[rows], clip.focal, middle)
    assert places is not None
    return places


def test_the_inside_lies_behind_the_lips_and_has_its_own_colours(clip: TrainingClip) -> None:
    places = mean_places(clip)
    found = inside_of(clip, np.array(clip.train_rows), places)
    assert found is not None and len(found.means) >= LEAST
    lips = places[MOUTH]
    assert (found.means[:, 0] > lips[:, 0].min()).all()
    assert (found.means[:, 0] < lips[:, 0].max()).all()
    # The surface's points are no exact skin: the depth is known to some tenths of a decimetre.
    behind = lips[:, 2].mean() - found.means[:, 2]
    assert np.median(behind) == pytest.approx(DEPTH, abs=0.15)
    like = np.abs(found.colours * 255 - TEETH).max(axis=1)
    assert np.median(like) < 30


def test_a_clip_that_does_not_tell_gives_none(clip: TrainingClip) -> None:
    rows = np.array(clip.train_rows)
    assert inside_of(clip, rows, None) is None
    assert inside_of(clip, rows[:0], mean_places(clip)) is None
    shut = clip.landmarks.copy()
    shut[:, INNER_LIP] = shut[:, INNER_LIP].mean(axis=1, keepdims=True)
    assert inside_of(replace(clip, landmarks=shut), rows, mean_places(clip)) is None


def test_the_head_of_the_paper_receives_them_and_no_other(
    clip: TrainingClip, tmp_path: Path
) -> None:
    for config, more in ((SMALL, True), (OFFICIAL, False)):
        job = job_of(clip.folder, tmp_path / config.arrangement, config)
        batches, _, _ = open_batches(job, clip)
        poses = batches.poses.numpy()
        head = new_head(clip.points, poses, batches.audio_dim, config, "cpu")
        before = len(head)
        add_inside(head, batches)
        assert (len(head) > before) is more
        assert all(len(value) == len(head) for value in head.canonical.values())
    train(job_of(clip.folder, tmp_path / "whole"))  # and a training goes on with them


def test_nothing_pulls_the_inside_to_the_lips() -> None:
    line = np.arange(-1, 1, 0.02)
    x, y = (values.ravel() for values in np.meshgrid(line, line))
    wall = np.stack([x, y, np.zeros_like(x)], 1)
    landmarks = np.zeros((68, 3))
    landmarks[MOUTH, 0], landmarks[MOUTH, 1] = np.linspace(-0.3, 0.3, 20), [-0.2, 0.0] * 10
    places = {"inside": (0, -0.1, -0.2), "before": (0, -0.1, 0.2), "beside": (0.5, -0.1, -0.2)}
    pulled = {
        name: float(Surface(wall, "cpu", landmarks).loss(gaussians_at(torch.tensor([place]))))
        for name, place in places.items()
    }
    assert pulled["inside"] == 0 and pulled["before"] > 0.1 and pulled["beside"] > 0.1
