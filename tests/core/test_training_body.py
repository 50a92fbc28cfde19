"""Training a bust: its first shape from one frame, its sway, its own stage, a resumed training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.avatar.file import load_avatar
from core.bake.backends import choose_backend
from core.dataset.load import TrainingClip, load_clip
from core.evaluation.render import renderer_for
from core.evaluation.sounds import voice_of
from core.evaluation.whole_frame import whole_section
from core.formats.safetensors import read_tensors
from core.network.skinning import SkinnedBody
from core.records.arrays import Float64
from core.records.avatar import Avatar
from core.records.camera import pose_vector
from core.training.body_field import between, inflated
from core.training.body_shape import scene_of
from core.training.body_sway import body_motions
from core.training.job import TrainJob
from tests.support.bust_clip import COLLAR, JAW, make_bust_clip, sway
from tests.support.training_runs import SMALL, job_of, state_of, stop_at, train

BUST = replace(SMALL, body_steps=80, body_points=500)
DEPTH = 7.5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bust_clip(tmp_path_factory.mktemp("bust"))


@pytest.fixture(scope="module")
def clip(folder: Path) -> TrainingClip:
    return load_clip(folder)


@pytest.fixture(scope="module")
def whole(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainJob:
    job = job_of(folder, tmp_path_factory.mktemp("whole"), BUST)
    assert train(job)[0]["stages"] == ["static", "lips", "motion", "body"]
    return job


# The first shape -------------------------------------------------------------------------------


def test_a_strip_is_inflated_to_a_cylinder_and_a_wide_shape_to_a_slab() -> None:
    strip = np.zeros((40, 60), bool)
    strip[:, 20:40] = True  # the radius is 0.2 + half a cell
    across = (np.arange(60) - 29.5) * 0.02
    expected = np.sqrt(np.maximum(0.21**2 - across**2, 0))
    found = inflated(strip, 0.02, 10.0)
    np.testing.assert_allclose(found[20, 20:40], expected[20:40], atol=0.01)
    assert not found[:, :20].any()
    wide = np.ones((40, 300), bool)
    wide[:, 0] = False
    assert inflated(wide, 0.05, 1.0)[20, -1] == pytest.approx(1.0, abs=0.02)


def test_weights_rise_evenly_between_shirt_and_skull() -> None:
    inside, low, high = np.zeros((3, 50, 20), bool)
    inside[:, 5:15] = True
    low[40:], high[:10] = True, True
    found = between(inside, low, high)
    np.testing.assert_allclose(found[10:40, 8], (40 - np.arange(10, 40)) / 31, atol=0.02)
    assert not found[40:, :].any() and found[:10, 5:15].min() == 1 and not found[:, :5].any()


def test_masks_without_a_torso_give_no_body(clip: TrainingClip) -> None:
    parsing = clip.parsing(0)
    picture = clip.original(0)
    assert scene_of(picture, parsing, clip.focal, DEPTH, None) is not None
    assert scene_of(picture, np.where(parsing == (255, 0, 0), 255, parsing), 200, DEPTH, 20) is None


def test_the_neck_goes_on_behind_the_jaw(clip: TrainingClip) -> None:
    scene = scene_of(clip.original(0), clip.parsing(0), clip.focal, DEPTH, 30.0)
    assert scene is not None
    middle = clip.width // 2 + scene.left
    assert scene.body[30:JAW, middle].all() and not scene.body[:30].any()
    assert not scene.seen[30:JAW].any()
    follow = scene.follow[:, middle]
    assert follow[31] > 0.9 and not follow[COLLAR + 3 : clip.height].any()
    assert 0.1 < follow[JAW + 3] < 0.6
    assert not scene.fade[-1].any() and not scene.fade[:, 0].any() and scene.fade[0, middle] == 1


# Sway ------------------------------------------------------------------------------------------


def test_the_sway_of_the_shirt_is_found(clip: TrainingClip) -> None:
    rows = np.arange(len(clip))
    motions = body_motions(clip, rows, 0, DEPTH)
    assert motions is not None
    found = shirt_at(clip, motions)
    expected = np.array([sway(row) for row in rows])
    assert np.abs(found - expected).max() < 1.0 and np.abs(found - expected).mean() < 0.4
    np.testing.assert_allclose(motions[0], np.eye(4), atol=1e-12)


def shirt_at(clip: TrainingClip, motions: Float64) -> Float64:
    """Pixels to the right of where it is in the reference, at the shirt's middle."""
    point = np.array([0, (58 - clip.height / 2) / clip.focal * DEPTH, DEPTH, 1])
    moved = motions @ point
    return np.asarray(clip.focal * moved[:, 0] / moved[:, 2], np.float64)


def test_a_still_torso_has_no_sway(clip: TrainingClip, monkeypatch: pytest.MonkeyPatch) -> None:
    still = clip.original(0)
    noise = np.random.default_rng(0)
    frames = {row: still + noise.integers(0, 3, still.shape, np.uint8) for row in range(80)}
    monkeypatch.setattr(TrainingClip, "original", lambda self, row: frames[row])
    assert body_motions(clip, np.arange(80), 0, DEPTH) is None


# Training --------------------------------------------------------------------------------------


def error_of(avatar: Avatar, clip: TrainingClip, row: int, background: np.ndarray) -> float:
    """Mean square difference below the jaw, of the body over that background."""
    backend = choose_backend("numpy")
    if avatar.body is None:
        picture = background
    else:
        assert avatar.track is not None and avatar.track.bodies is not None
        body = SkinnedBody(avatar.body, avatar.camera.viewmat)
        poses = pose_vector(clip.viewmats[row]), pose_vector(avatar.track.bodies[row])
        picture = backend.rasterise(body.at(*poses), clip.camera(row), background)[..., :3]
    true = clip.original(row).astype(np.float32) / 255
    return float(((picture - true)[JAW + 1 :] ** 2).mean())


def test_a_bust_shows_neck_and_shirt_better_than_a_picture(
    clip: TrainingClip, whole: TrainJob
) -> None:
    avatar = load_avatar(whole.out)
    assert avatar.body is not None and avatar.background is not None
    assert avatar.background.torso is None and 50 < len(avatar.body) <= 700
    assert avatar.landmarks is not None and avatar.landmarks.shape == (68, 3)
    weights = avatar.body.weights
    assert weights.min() == 0 and weights.max() > 0.7 and (weights == 0).mean() > 0.3
    plate = clip.original(0).astype(np.float32) / 255  # the torso as it is in one frame
    bare = clip.bare_background(0).astype(np.float32) / 255
    rows = clip.val_rows[::4]
    ours = np.mean([error_of(avatar, clip, row, bare) for row in rows])
    theirs = np.mean([error_of(replace(avatar, body=None), clip, row, plate) for row in rows])
    assert ours < 0.5 * theirs


def test_the_whole_frame_is_measured_and_shown(clip: TrainingClip, whole: TrainJob) -> None:
    bust, backend = load_avatar(whole.out), choose_backend("numpy")
    assert bust.background is not None
    torso = np.dstack([clip.original(0), (clip.parsing(0) != 255).any(-1) * np.uint8(255)])
    torso[:JAW, :, 3] = 0
    plate = replace(bust.background, torso=torso)
    alone = replace(bust, body=None, background=plate, content_hash="")
    sections = []
    for avatar in (bust, alone):
        voice = voice_of(avatar, clip, clip.val_rows, split=False)
        renderer = renderer_for(avatar, backend, clip)
        sections.append(whole_section(renderer, voice, clip.val_rows[::5], lambda *_: None))
    ours, theirs = sections
    for key in ("psnr_picture", "psnr_body", "psnr_neck", "psnr_background", "fringe"):
        assert ours.value(key) is not None and theirs.value(key) is not None
    for key in ("psnr_body", "psnr_picture"):
        assert (ours.value(key) or 0) > (theirs.value(key) or 0)
    assert [strip.title for strip in ours.strips] == ["Whole frames", "Orbit", "Turned heads"]
    orbit = [pictures[0] for _, pictures in ours.strips[1].columns]
    assert len(orbit) == 5 and (orbit[0] != orbit[-1]).any()


@pytest.mark.parametrize(("stage", "step"), [("motion", 3), ("body", 0), ("body", 40)])
def test_a_resumed_bust_is_the_same_to_the_bit(
    folder: Path, whole: TrainJob, tmp_path: Path, stage: str, step: int
) -> None:
    job = job_of(folder, tmp_path / "parts", BUST)
    stop_at(job, stage, step)
    train(replace(job, resume=True))
    for one, other in (
        (read_tensors(job.out)[0], read_tensors(whole.out)[0]),
        (state_of(job)[0], state_of(whole)[0]),
    ):
        assert one.keys() == other.keys() and any("body" in name for name in one)
        assert all(np.array_equal(value, other[name]) for name, value in one.items())


def test_a_head_can_be_trained_alone(folder: Path, whole: TrainJob, tmp_path: Path) -> None:
    job = job_of(folder, tmp_path / "alone", replace(BUST, body=False))
    assert train(job)[0]["stages"] == ["static", "lips", "motion"]
    alone, bust = load_avatar(job.out), load_avatar(whole.out)
    assert alone.body is None and alone.track is not None and alone.track.bodies is None
    # The body changes nothing of the head.
    for name, value in vars(alone.gaussians).items():
        assert np.array_equal(value, getattr(bust.gaussians, name)), name
