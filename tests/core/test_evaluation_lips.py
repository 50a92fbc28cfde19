"""Landmarks by geometry, lips over time, and the lip shapes that sounds require."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from core.avatar.binding import bind
from core.dataset.landmarks import triangulate_each
from core.errors import InputError
from core.evaluation import landmark_detector, lips
from core.evaluation.landmark_detector import DetectorMeter
from core.evaluation.landmarks import projected, upwards
from core.evaluation.phonemes import Phoneme, closures, load_phonemes
from core.evaluation.silence import pauses, silence_metrics
from core.evaluation.sounds import loudness
from core.evaluation.sync import best_shift, correlation, shifted
from core.prepare.mesh import IBUG
from core.records.camera import Camera
from core.records.voice import RATE, Waveform
from tests.support.talking_clip import FOCAL, SIDE, places
from tests.support.training_inputs import poses, viewmat_from_track

MIDDLE = (SIDE / 2, SIDE / 2)


def cameras(count=12):
    return [
        Camera(viewmat_from_track(e, t), FOCAL, FOCAL, *MIDDLE, SIDE, SIDE)
        for e, t in zip(*poses(count), strict=True)
    ]


def test_landmarks_are_found_in_the_head_from_their_pixels():
    points, views = places(), cameras()
    seen = np.array([projected(points, view) for view in views])
    seen[3, :, :] = np.nan  # a frame without landmarks
    seen[5, 7] += 30  # an outlier of a detector
    seen[:, 9] = np.nan  # one without data
    viewmats = np.array([view.viewmat for view in views])
    found = triangulate_each(seen, viewmats, FOCAL, MIDDLE)
    assert np.isnan(found[9]).all()
    known = np.delete(np.arange(68), 9)
    np.testing.assert_allclose(found[known], points[known], atol=2e-3)


def test_landmarks_move_as_their_gaussians_do():
    rng = np.random.default_rng(0)
    points = places()
    means = np.repeat(points, 10, 0) + 0.01 * rng.normal(size=(680, 3))
    binding = bind(points, means, np.ones(680))
    np.testing.assert_allclose(binding.places(means), points, atol=1e-12)
    moved = means.copy()
    moved[570:580] += (0, -0.2, 0)  # landmark 57, the lower lip
    shift = binding.places(moved) - points
    assert shift[57, 1] == pytest.approx(-0.2, abs=0.06)
    assert np.abs(shift[:48]).max() < 0.06
    faint = np.ones(680)
    faint[570:580] = 0.01  # nearly transparent: others represent the landmark
    assert not set(bind(points, means, faint).indices[57]) & set(range(570, 580))


def test_the_lip_gap_is_taken_along_the_head():
    """Turning the head in the picture changes nothing, and crossed lips are below zero."""
    face = np.zeros((1, 68, 2))
    face[0, [61, 62, 63]] = [(-2, 0), (0, 0), (2, 0)]
    face[0, [67, 66, 65]] = [(-2, 5), (0, 5), (2, 5)]
    up = np.array([[0.0, -1.0]])
    assert lips.lip_gap(face, up)[0] == pytest.approx(5)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    assert lips.lip_gap(face @ turn.T, up @ turn.T)[0] == pytest.approx(5)
    assert lips.lip_gap(face * (1, -1), up)[0] == pytest.approx(-5)
    assert upwards(cameras()[0].viewmat)[1] < -0.9


def test_landmark_distances_ignore_the_position_of_the_mouth():
    truth = np.random.default_rng(1).normal(size=(4, 68, 2))
    assert lips.mouth_distance(truth + np.array((3, -4)), truth) == pytest.approx(np.zeros(4))
    wrong = truth.copy()
    wrong[:, 48:58] += (1, 0)
    wrong[:, 58:68] -= (1, 0)
    assert lips.mouth_distance(wrong, truth) == pytest.approx(np.ones(4))
    elsewhere = truth + np.array((5, 0)) * (np.arange(68) < 48)[:, None]
    assert lips.mouth_distance(elsewhere, truth) == pytest.approx(np.zeros(4))


def test_a_late_signal_has_a_positive_shift():
    rng = np.random.default_rng(2)
    signal = rng.normal(size=60)
    rows = [row for row in range(100, 160) if row != 120]  # with a gap
    early = np.array([signal[row - 100] for row in rows])
    late = np.array([signal[(row - 100 - 3) % 60] for row in rows])
    curve = shifted(rows, late, early)
    shift, value = best_shift(curve)
    assert (shift, len(curve)) == (3, 17) and value == pytest.approx(1)
    assert best_shift(shifted(rows, early, late))[0] == -3


def test_correlation_is_unknown_without_enough_known_rows():
    line = np.arange(20.0)
    assert correlation(line, 3 - 2 * line) == pytest.approx(-1)
    assert math.isnan(correlation(line, np.ones(20)))
    assert math.isnan(correlation(np.where(line < 7, line, np.nan), line))
    assert best_shift(np.full(17, np.nan))[0] == 0


def test_loudness_of_a_tone_that_begins():
    samples = np.zeros(RATE, np.float32)
    samples[RATE // 2 :] = 0.1 * np.sqrt(2) * np.sin(np.arange(RATE // 2) * 0.3)
    found = loudness(Waveform(samples), np.array([2, 20, 30]))
    assert found[0] == -80  # silence
    assert found[1] == pytest.approx(-20, abs=0.1)
    assert found[2] == -80  # after the end


def test_a_pause_is_longer_than_a_stop_and_quieter_than_the_voice():
    loud = np.array([-20.0, -20, -70, -70, -20, -22, *[-70] * 6, -20, -20])
    assert np.flatnonzero(pauses(loud)).tolist() == [10, 11]
    # The same in a noisy room.
    assert np.flatnonzero(pauses(np.maximum(loud, -38))).tolist() == [10, 11]
    assert not pauses(np.full(9, np.nan)).any()


def test_a_mouth_that_rests_in_silence_moves_by_nothing():
    gap = np.sin(np.arange(50.0))
    ratio, open_by = silence_metrics(gap, np.full(50, 2.0), "")
    assert ratio.value == pytest.approx(0, abs=1e-12)
    assert open_by.value == pytest.approx(3, abs=0.05)
    assert silence_metrics(gap, gap, "")[0].value == pytest.approx(1)
    assert silence_metrics(np.full(50, np.nan), gap, "no lips")[0].note == "no lips"


def test_lips_must_close_for_m_b_p():
    rows = tuple(range(40, 90))
    gap = np.full(50, 10.0)
    gap[10:13] = 0  # rows 50 to 52, for the b at 0.4 s after row 40
    phonemes = (Phoneme(0.4, 0.48, "b"), Phoneme(0.6, 0.7, "a"), Phoneme(1.2, 1.28, "m"))
    found = closures(phonemes, 40, rows, gap)
    assert (found.count, found.share) == (2, 0.5)
    assert closures((), 40, rows, gap).count == 0


def test_phoneme_files(tmp_path):
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"events": [[0.0, "h"], [0.1, "m"]]}))
    assert load_phonemes(path)[0] == Phoneme(0.0, 0.1, "h")
    for bad in ("[", '{"events": 3}', '{"events": [[1, "a"], [0, "b"]]}', '{"events": [["x"]]}'):
        path.write_text(bad)
        with pytest.raises(InputError, match="contains no phonemes"):
            load_phonemes(path)


def test_metrics_by_a_detector():
    """With a known detector: its mouth is open as far as the first pixel is bright."""
    unseen = np.ones((4, 4, 3))

    def find(pixels):
        if (pixels == 255).all():
            return []
        mesh = np.zeros((478, 3))
        mesh[:, 1] = np.arange(478)
        lower = [IBUG[n] for n in (65, 66, 67)]
        mesh[lower, 1] += pixels[0, 0, 0] / 10
        return [mesh]

    meter = DetectorMeter(20, find)
    for step in range(20):
        truth = np.full((4, 4, 3), (step % 5) / 10)
        meter.add(unseen if step == 19 else truth, truth)
    lmd, lip, eye = meter.metrics()
    assert lmd.value == 0 and lip.value == pytest.approx(1) and eye.value is None
    assert "19 frames" in lip.note and "no face in 1" in lip.note
    assert DetectorMeter(250, find).step == 3


def test_without_a_detector_the_reason_is_in_the_table(monkeypatch):
    monkeypatch.setattr(landmark_detector.importlib.util, "find_spec", lambda name: None)
    meter = DetectorMeter(4)
    meter.add(np.zeros((4, 4, 3)), np.zeros((4, 4, 3)))
    (metric,) = meter.metrics()
    assert metric.value is None and metric.note == "mediapipe 0.10.21 is not installed here"
