"""The seam between the network's implementations and everything that uses them."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import replace
from typing import Protocol
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ..records.audio_track import AROUND, AudioTrack
from ..records.gaussians import C0, Splats
from ..records.moment import Moment
from ..records.timeline import row_of_seconds

Float32 = NDArray[np.float32]

# By identity, as long as both live; the value depends on nothing else.
_quiet: MutableMapping[Deformer, MutableMapping[AudioTrack, Float32]] = WeakKeyDictionary()


class Deformer(Protocol):
    """One avatar, prepared: all that does not depend on the frame is computed already."""

    def encode_audio(self, windows: Float32) -> Float32:
        """windows (8, D, W) -> code (32,): AudioNet and AudioAttNet (docs/method.md §3.4)."""
        ...

    def deform(self, code: Float32, eye: float, pose: Float32, strength: float) -> Splats:
        """code (32,), eye closure in [0, 1], pose (12,), strength (1 as trained) -> Splats."""
        ...


def splats_at(deformer: Deformer, track: AudioTrack, moment: Moment) -> Splats:
    """The head at one moment, its controls applied."""
    code = heard_at(deformer, track, moment)
    if moment.approximate:  # what has no approximation (network/held.py) is exact
        deformer = getattr(deformer, "approximate", deformer)
    splats = deformer.deform(code, moment.eye, moment.pose, moment.strength)
    return adjusted(splats, moment.opacity, moment.colour_gain)


def heard_at(deformer: Deformer, track: AudioTrack, moment: Moment) -> Float32:
    """(32,) what the network hears at one moment, the mouth's gain applied."""
    code = code_at(deformer, track, moment.seconds)
    if moment.mouth_gain != 1.0:
        quiet = quiet_code(deformer, track)
        code = quiet + np.float32(moment.mouth_gain) * (code - quiet)
    return code


def code_at(deformer: Deformer, track: AudioTrack, seconds: float) -> Float32:
    """(32,) what the network hears at that time. Between two rows of the track the audio codes are
    mixed linearly, so that any scene frame rate moves smoothly; on a row the result is the official
    one."""
    row, weight = row_of_seconds(seconds)
    code = code_of_row(deformer, track, row)
    if weight:
        following = code_of_row(deformer, track, row + 1)
        code = np.float32(1 - weight) * code + np.float32(weight) * following
    return code


def code_of_row(deformer: Deformer, track: AudioTrack, row: int) -> Float32:
    """(32,) of one row of the track; a deformer that keeps the codes of a track says so by a method
    of this name."""
    kept = getattr(deformer, "code_of_row", None)
    return deformer.encode_audio(track.around(row)) if kept is None else kept(track, row)


def notes_of(deformer: Deformer) -> tuple[str, ...]:
    """Why something fast is not used, where the deformer knows such things."""
    notes: tuple[str, ...] = getattr(deformer, "notes", ())
    return notes


def quiet_code(deformer: Deformer, track: AudioTrack) -> Float32:
    """(32,) what the network hears far outside the sound: silence where the track knows it."""
    known = _quiet.setdefault(deformer, WeakKeyDictionary())
    code = known.get(track)
    if code is None:
        code = known[track] = code_of_row(deformer, track, -track.margin - AROUND)
    return code


def adjusted(splats: Splats, opacity: float = 1.0, colour_gain: float = 1.0) -> Splats:
    """Opacities times `opacity` within [0, 1]. The colour is max(0, sum + 0.5) (sh.py), so that
    scaling every coefficient and moving the first by the half's share scales the colour, whatever
    draws it. At 1.0 the arrays are the given ones."""
    opacities, sh = splats.opacities, splats.sh
    if opacity != 1.0:
        opacities = np.clip(opacities * np.float32(opacity), 0, 1)
    if colour_gain != 1.0:
        sh = sh * np.float32(colour_gain)
        sh[:, 0] += np.float32((colour_gain - 1) * 0.5 / C0)
    return replace(splats, opacities=opacities, sh=sh)
