"""A cached frame gives the picture that a bake makes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from core.audio.features import track_for
from core.avatar.file import load_avatar
from core.avatar.motion import moment_at
from core.bake.backends import backend_named
from core.engine.cache.frames import MEGABYTE, frame_of
from core.network.deformer import splats_at
from core.records.gaussians import Splats

ASSETS = Path(__file__).parents[2] / "egstalker_blender" / "assets"
LOUD = 4.12  # seconds into the speech, an open mouth


def test_the_picture_of_a_kept_frame_is_that_of_the_bake() -> None:
    avatar = load_avatar(ASSETS / "demo.egs")
    track = track_for(avatar, ASSETS / "demo.wav")
    backend = backend_named("numpy")
    moment = moment_at(avatar, LOUD)
    deformer = backend.prepare(avatar)
    splats = splats_at(deformer, track, moment)
    canonical = splats_at(deformer, track, replace(moment, strength=0.0)).sh
    camera = avatar.camera.resized(160, 160)

    def decibels(other: Splats) -> float:
        pictures = [backend.rasterise(shown, camera) for shown in (splats, other)]
        colours = [picture[..., :3].astype(np.float64) for picture in pictures]
        return float(-10 * np.log10(np.mean((colours[0] - colours[1]) ** 2)))

    frame = frame_of(splats, canonical)
    assert frame.nbytes < 4 * MEGABYTE
    assert decibels(frame.splats()) > 80
    assert decibels(replace(splats, sh=canonical)) < 60  # they are worth keeping
