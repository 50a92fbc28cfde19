"""The samples of a training step: rows, audio windows, crops of the head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import minimum_filter

from core.dataset.load import TrainingClip, load_clip
from core.dataset.matte import margin_of
from core.dataset.sound import shortened, training_track
from core.records.audio_track import AudioTrack
from core.training.batches import BLINK, Batches, generator
from core.training.head import first_colours, first_points
from tests.support.talking_clip import SIDE
from tests.support.training_runs import SMALL, make_talking_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> TrainingClip:
    return load_clip(make_talking_clip(tmp_path_factory.mktemp("talking")))


@pytest.fixture(scope="module")
def track(clip: TrainingClip) -> AudioTrack:
    return training_track(clip, "log-mel")[0]


@pytest.fixture(scope="module")
def batches(clip: TrainingClip, track: AudioTrack) -> Batches:
    return Batches(clip, track, SMALL, clip.train_rows, "cpu")


def test_draws_depend_on_seed_stage_and_step_alone(
    clip: TrainingClip, track: AudioTrack, batches: Batches
) -> None:
    other = Batches(clip, track, SMALL, clip.train_rows, "cpu")
    for step in (5, 0):  # in any order
        rows = batches.sample_rows("motion", step, 4)
        assert np.array_equal(rows, other.sample_rows("motion", step, 4))
        windows = (each.augmented_windows(rows, "motion", step) for each in (batches, other))
        assert np.array_equal(*windows)
    seeded = Batches(clip, track, replace(SMALL, seed=1), clip.train_rows, "cpu")
    draws = [
        batches.sample_rows("motion", 5, 20), batches.sample_rows("motion", 6, 20),
        batches.sample_rows("static", 5, 20), seeded.sample_rows("motion", 5, 20),
    ]  # fmt: skip
    for i, one in enumerate(draws):
        assert set(one) <= set(clip.train_rows)
        assert all(not np.array_equal(one, two) for two in draws[:i])
    assert generator(1, "ab", 2).random() == generator(1, "ab", 2).random()


def test_blinks_are_drawn_more_often(clip: TrainingClip, track: AudioTrack) -> None:
    eyes = np.zeros(len(clip))
    eyes[::6] = BLINK + 0.1
    batches = Batches(replace(clip, eyes=eyes), track, SMALL, clip.train_rows, "cpu")
    counts = np.bincount(batches.sample_rows("motion", 0, 60_000), minlength=len(clip))
    assert counts[60:].sum() == 0
    blinks = np.arange(60) % 6 == 0
    ratio = counts[:60][blinks].mean() / counts[:60][~blinks].mean()
    assert ratio == pytest.approx(3, rel=0.05)


def test_landmark_rows_have_landmarks(clip: TrainingClip, track: AudioTrack) -> None:
    landmarks = clip.landmarks.copy()
    landmarks[:30] = np.nan
    batches = Batches(replace(clip, landmarks=landmarks), track, SMALL, clip.train_rows, "cpu")
    assert set(batches.sample_rows("lips", 0, 500, with_landmarks=True)) == set(range(30, 60))
    assert np.isfinite(batches.landmarks.numpy()).all() and batches.landmark_points is not None
    none = replace(clip, landmarks=np.full_like(landmarks, np.nan))
    assert Batches(none, track, SMALL, clip.train_rows, "cpu").landmark_points is None


def test_windows_are_the_tracks(batches: Batches, track: AudioTrack) -> None:
    windows = batches.windows(np.array([0, 7])).numpy()
    assert batches.audio_dim == 29
    for window, row in zip(windows, (0, 7), strict=True):
        assert np.array_equal(window, track.around(row))


def test_half_of_the_quiet_rows_become_digital_silence(batches: Batches, track: AudioTrack) -> None:
    """The clip's sound pauses for a second in its middle, rows 28 to 52."""
    assert batches.quiet[32:48].all() and not batches.quiet[5:20].any()
    assert track.outside is not None
    silence = np.repeat(track.outside.T[None], 8, axis=0)
    rows = np.array([40, 10] * 100)
    augmented = batches.augmented_windows(rows, "motion", 0).numpy()
    silent = (augmented == silence).all(axis=(1, 2, 3))
    assert 30 < silent[::2].sum() < 70 and not silent[1::2].any()


def test_augmented_windows_differ_a_little_from_the_sound(batches: Batches) -> None:
    rows = np.full(50, 10)
    clean = batches.windows(rows).numpy()
    augmented = batches.augmented_windows(rows, "motion", 1).numpy()
    dropped = (augmented == 0).all(axis=(1, 3))  # (B, D)
    assert 0.02 < dropped.mean() < 0.09
    difference = (augmented - clean).transpose(0, 2, 1, 3)[~dropped]
    assert 0.2 < difference.std() < 0.4 and abs(difference.mean()) < 0.1
    assert np.array_equal(batches.windows(rows).numpy(), clean)  # untouched


def test_a_track_without_silence_silences_nothing(clip: TrainingClip, track: AudioTrack) -> None:
    without = AudioTrack(track.windows, None, track.margin)
    batches = Batches(clip, without, SMALL, clip.train_rows, "cpu")
    assert batches.silence is None and not batches.quiet.any()
    batches.augmented_windows(np.array([40]), "motion", 0)


@pytest.mark.parametrize("window", [1, 4, 8, 15, 16])
def test_shortened_windows_are_the_middle_of_the_long_ones(clip: TrainingClip, window: int) -> None:
    track, spec = training_track(clip, "log-mel")
    short, shorter = shortened(track, spec, window)
    cut = (16 - window) // 2
    expected = track.windows[:, cut : cut + window] if cut else track.windows
    assert np.array_equal(short.windows, expected)
    assert shorter.window == (window if cut else 16)
    assert shorter.pad == spec.pad - cut and len(short) == len(track)
    assert short.outside is not None and short.outside.shape == expected.shape[1:]


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_crop_is_the_frame_around_the_head(
    clip: TrainingClip, track: AudioTrack, scale: float
) -> None:
    batches = Batches(clip, track, replace(SMALL, scale=scale), clip.train_rows, "cpu")
    y0, y1, x0, x1 = batches.box
    crop, frame = batches.crop(9), clip.frame(9)
    assert crop.target.shape == (y1 - y0, x1 - x0, 3) == crop.background.shape
    assert crop.head.shape == (y1 - y0, x1 - x0)
    if scale == 1:
        target = frame.image[y0:y1, x0:x1] / np.float32(255)
        np.testing.assert_allclose(crop.target, target, atol=1e-6)
        inside = minimum_filter(frame.head, 2 * margin_of(clip.width) + 1)[y0:y1, x0:x1]
        assert (crop.head.numpy()[inside] == 1).all() and inside.sum() > 100
        assert not crop.head.numpy()[~frame.head[y0:y1, x0:x1]].any()
        assert frame.head[y0:y1, x0:x1].sum() == frame.head.sum()  # nothing of it is cut off
    # A point of the head falls on the same place in both.
    whole, cut = clip.camera(9), crop.camera
    point = np.array([0.1, -0.2, 0.5, 1.0])
    x, y, z, _ = whole.viewmat @ point
    u, v = whole.fx * x / z + whole.cx, whole.fy * y / z + whole.cy
    assert cut.fx * x / z + cut.cx == pytest.approx(u * scale - x0)
    assert cut.fy * y / z + cut.cy == pytest.approx(v * scale - y0)
    assert (cut.width, cut.height) == (x1 - x0, y1 - y0)
    assert frame.lips is not None and crop.lips is not None
    top, bottom, left, right = crop.lips
    assert 0 <= top < bottom <= y1 - y0 and 0 <= left < right <= x1 - x0
    assert top == pytest.approx(frame.lips[0] * scale - y0, abs=1)
    assert right == pytest.approx(frame.lips[3] * scale - x0, abs=1)


def test_before_a_wrong_background_the_head_stays_and_the_rest_is_one_colour(
    clip: TrainingClip, track: AudioTrack, batches: Batches
) -> None:
    crop = batches.crop(9)
    wrong = batches.on_wrong_background(crop, "motion", 3)
    inside, outside = crop.head == 1, crop.head == 0
    assert 0.5 < inside.sum() / (crop.head > 0).sum() < 1
    assert torch.equal(wrong.target[inside], crop.target[inside])
    colours = wrong.background.unique(dim=0).unique(dim=1)
    assert colours.shape[:2] == (1, 1)
    far = (crop.target - crop.background).abs().amax(-1) == 0
    torch.testing.assert_close(
        wrong.target[outside & far], wrong.background[outside & far], rtol=0, atol=1e-6
    )
    # In the outline the background that a pixel shows is exchanged in the same share.
    mixed = (crop.head > 0.2) & (crop.head < 0.8)
    change = wrong.target[mixed] - crop.target[mixed]
    expected = (1 - crop.head[mixed])[:, None] * (wrong.background - crop.background)[mixed]
    torch.testing.assert_close(change, expected, rtol=0, atol=1e-6)
    again = batches.on_wrong_background(crop, "motion", 3)  # a resumed training's too
    assert torch.equal(wrong.background, again.background)
    other = batches.on_wrong_background(crop, "motion", 4)
    assert (wrong.background != other.background).any()
    # The official code has no mask.
    losses = replace(SMALL.losses, mask=0.0)
    official = Batches(clip, track, replace(SMALL, losses=losses), clip.train_rows, "cpu")
    hard = official.crop(9)
    assert official.on_wrong_background(hard, "motion", 3) is hard
    assert set(hard.head.unique().tolist()) <= {0.0, 1.0}


def test_first_colours_are_what_the_frames_show(clip: TrainingClip) -> None:
    points = first_points(clip, None)
    colours = first_colours(clip, points)
    assert points.shape == colours.shape == (1500, 3)
    assert colours.min() >= 0 and colours.max() <= 1
    camera, frame = clip.camera(0), clip.frame(0)
    local = points @ camera.viewmat[:3, :3].T + camera.viewmat[:3, 3]
    near = local[:, 2] < np.median(local[:, 2]) - 0.2
    xy = (local[near, :2] / local[near, 2:] * camera.fx + SIDE / 2).astype(int)
    shown = frame.original[xy[:, 1], xy[:, 0]] / 255
    assert np.abs(colours[near] - shown).mean() < 0.12
    far = first_colours(clip, points + np.array([50.0, 0, 0]))  # outside every frame
    assert np.isfinite(far).all()
