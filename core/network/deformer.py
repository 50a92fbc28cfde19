"""The interface between the implementations of the network and their users."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import MutableMapping
from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np

from ..records.arrays import Float32
from ..records.audio_track import AROUND, AudioTrack
from ..records.gaussians import C0, Splats, concatenated
from ..records.moment import Moment
from ..records.timeline import row_of_seconds
from .skinning import SkinnedBody


class Deformer(ABC):
    """One prepared avatar: everything that does not depend on the frame is already computed. body:
    what stands under the head, None for a head alone; `splats_at` adds it."""

    body: SkinnedBody | None = None

    @abstractmethod
    def encode_audio(self, windows: Float32) -> Float32:
        """windows (8, D, W) -> code (32,): AudioNet and AudioAttNet (docs/method.md §3.4)."""

    @abstractmethod
    def deform(self, code: Float32, eye: float, pose: Float32, strength: float) -> Splats:
        """code (32,), eye closure in [0, 1], pose (12,), strength (1 as trained) -> Splats."""

    def code_of_row(self, track: AudioTrack, row: int) -> Float32:
        """(32,) the code of one row of the track. An implementation may keep the codes of a track
        for as long as the track lives."""
        return self.encode_audio(track.around(row))

    @property
    def notes(self) -> tuple[str, ...]:
        """The reasons why a faster path is not used, one line each."""
        return ()

    @property
    def approximate(self) -> Deformer:
        """The faster deformer that keeps some Gaussians frozen (frozen.py); itself if the avatar
        has none."""
        return self


# Keyed by identity, for as long as both live; the value depends on nothing else.
_silent: MutableMapping[Deformer, MutableMapping[AudioTrack, Float32]] = WeakKeyDictionary()


def splats_at(deformer: Deformer, track: AudioTrack, moment: Moment) -> Splats:
    """Head and body at one moment, with the controls applied."""
    code = code_of_moment(deformer, track, moment)
    body = deformer.body
    if moment.approximate:
        deformer = deformer.approximate
    splats = deformer.deform(code, moment.eye, moment.pose, moment.strength)
    if body is not None:
        splats = concatenated(splats, body.at(moment.pose, moment.body_pose))
    return adjusted(splats, moment.opacity, moment.colour_gain)


def code_of_moment(deformer: Deformer, track: AudioTrack, moment: Moment) -> Float32:
    """(32,) the audio code of one moment, with the mouth gain applied."""
    code = code_at(deformer, track, moment.seconds)
    if moment.mouth_gain != 1.0:
        silent = silent_code(deformer, track)
        code = silent + np.float32(moment.mouth_gain) * (code - silent)
    return code


def code_at(deformer: Deformer, track: AudioTrack, seconds: float) -> Float32:
    """(32,) the audio code at that time. Between two rows of the track the codes are interpolated
    linearly, so that any scene frame rate moves smoothly; on a row the result is the official
    one."""
    row, weight = row_of_seconds(seconds)
    code = deformer.code_of_row(track, row)
    if weight:
        following = deformer.code_of_row(track, row + 1)
        code = np.float32(1 - weight) * code + np.float32(weight) * following
    return code


def silent_code(deformer: Deformer, track: AudioTrack) -> Float32:
    """(32,) the audio code far outside the sound: the code of silence if the track has one."""
    known = _silent.setdefault(deformer, WeakKeyDictionary())
    code = known.get(track)
    if code is None:
        code = known[track] = deformer.code_of_row(track, -track.margin - AROUND)
    return code


def adjusted(splats: Splats, opacity: float = 1.0, colour_gain: float = 1.0) -> Splats:
    """Opacities times `opacity` within [0, 1]. A colour is max(0, sum + 0.5) (render/sh.py):
    scaling every coefficient and moving the first one by the half's share scales the colour in
    every rasteriser. At 1.0 the arrays are returned unchanged."""
    opacities, sh = splats.opacities, splats.sh
    if opacity != 1.0:
        opacities = np.clip(opacities * np.float32(opacity), 0, 1)
    if colour_gain != 1.0:
        sh = sh * np.float32(colour_gain)
        sh[:, 0] += np.float32((colour_gain - 1) * 0.5 / C0)
    return replace(splats, opacities=opacities, sh=sh)
