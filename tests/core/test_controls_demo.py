"""Controls on the bundled avatar: the trained network follows them where it should."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.audio.features import track_for
from core.avatar.file import load_avatar
from core.avatar.motion import moment_at
from core.bake.backends import backend_named
from core.network.deformer import Deformer, splats_at
from core.records.audio_track import AudioTrack
from core.records.avatar import Avatar
from core.records.gaussians import Splats

ASSETS = Path(__file__).parents[2] / "egstalker_blender" / "assets"
LOUD = 4.12  # seconds into the speech, an open mouth
Demo = tuple[Avatar, Deformer, AudioTrack]


@pytest.fixture(scope="module")
def demo() -> Demo:
    avatar = load_avatar(ASSETS / "demo.egs")
    track = track_for(avatar, ASSETS / "demo.wav")
    return avatar, backend_named("numpy").prepare(avatar), track


def shot(demo: Demo, **controls: float) -> Splats:
    avatar, deformer, track = demo
    return splats_at(deformer, track, replace(moment_at(avatar, LOUD, "still"), **controls))


def lower_lip(demo: Demo, **controls: float) -> float:
    """Mean height of the Gaussians that fall most when the mouth opens, decimetres."""
    silent = shot(demo, mouth_gain=0.0).means[:, 1]
    falling = np.argsort(shot(demo).means[:, 1] - silent)[:300]
    return float(shot(demo, **controls).means[falling, 1].mean())


def test_the_mouth_opens_with_its_gain(demo: Demo) -> None:
    """Up to what it has learnt: at its widest it opens no wider."""
    heights = [lower_lip(demo, mouth_gain=gain) for gain in (0.0, 0.25, 0.5, 1.0)]
    assert (np.diff(heights) < 0).all()
    assert heights[0] - heights[2] > 0.05  # half a centimetre


def test_without_gain_the_mouth_is_the_mouth_of_silence(demo: Demo) -> None:
    avatar, deformer, track = demo
    far = splats_at(deformer, track, replace(moment_at(avatar, LOUD, "still"), seconds=60.0))
    assert np.array_equal(shot(demo, mouth_gain=0.0).means, far.means)


def test_eye_closure_shuts_the_lids_and_leaves_the_mouth(demo: Demo) -> None:
    opened, shut = shot(demo, eye=0.0).means, shot(demo, eye=1.0).means
    falling = np.argsort(shut[:, 1] - opened[:, 1])[:100]
    assert (opened[falling, 1] - shut[falling, 1]).mean() > 0.03  # three millimetres
    assert opened[falling, 1].mean() > 0  # above the nose's tip
    assert abs(lower_lip(demo, eye=1.0) - lower_lip(demo, eye=0.0)) < 0.01


def test_half_a_closure_is_half_way(demo: Demo) -> None:
    opened, half, shut = (shot(demo, eye=eye).means for eye in (0.0, 0.5, 1.0))
    falling = np.argsort(shut[:, 1] - opened[:, 1])[:100]
    way = (opened - half)[falling, 1].mean() / (opened - shut)[falling, 1].mean()
    assert 0.3 < way < 0.7


def test_strength_nought_is_the_canonical_head(demo: Demo) -> None:
    still, canonical = shot(demo, strength=0.0), demo[0].gaussians.means
    assert np.array_equal(still.means[: len(canonical)], canonical)  # a body follows the head's
    assert np.array_equal(shot(demo, strength=0.0, eye=1.0, mouth_gain=0.0).sh, still.sh)
