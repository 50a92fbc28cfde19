"""One voice from the channels of a sound, and samples that are a little wrong made right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError
from ..records.arrays import Float32, Float64
from .resample import Reader

SILENT = 1e-4  # of the loudest channel's power (-40 dB): such channels are left out
CENTRE = 0.1  # of the loudest channel's power (-10 dB), from which the centre holds the voice
CANCELLED = 1 / 16  # of the loudest channel's power (-12 dB): the channels cancel each other
# ITU-R BS.775: to the front channels' part of a mix. Low-frequency effects are left out.
SURROUND = 0.7071
USUAL = {  # order of channels that a file does not name
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
FRONT = {"FL", "FR", "FC", "FLC", "FRC", "DL", "DR"}
# Of a WAV file's channel mask, from its lowest bit.
IN_MASK = ("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR")

# A channel's power is that of all its samples, or in a long sound of so many pieces of so many.
PIECES, PIECE = 200, 8192
MAX_BROKEN = 0.01  # of the samples may be NaN or infinite
INTEGERS = 32.0  # floats that go higher are integers that nobody scaled: full scale is 1
FULL_SCALES = (2.0**15, 2.0**23, 2.0**31)

Channels = Callable[[int, int], NDArray[np.floating[Any]]]
"""(start, stop) -> (stop - start, channels): a piece of a sound."""


@dataclass(frozen=True, eq=False)
class Mix:
    """weights (channels,) of one mono voice, their sum is 1. note: for the user, or empty."""

    weights: Float64
    note: str = ""


@dataclass(frozen=True, eq=False)
class MonoSound:
    """read: gives the mono samples piece by piece, `length` of them at `rate` Hz. notes: what was
    mended, one line each."""

    read: Reader
    length: int
    rate: int
    notes: tuple[str, ...] = field(default=())


def choose_mix(powers: Float64, names: tuple[str, ...]) -> Mix:
    """powers (c, c): sums of products of channels. names: libav's short names, if they are
    known."""
    count, own = len(powers), np.diag(powers)
    if count == 1 or own.max() <= 0:
        return Mix(np.full(count, 1 / count))
    loudest = int(own.argmax())
    alone = np.eye(count)
    if not any(name in FRONT for name in names):
        names = USUAL.get(count, ("FL",) * count)
    if "FC" in names:
        centre = names.index("FC")
        if own[centre] > CENTRE * own[loudest]:
            return Mix(alone[centre], f"the voice is taken from the centre of {count} channels")
    weights = np.array([1.0 if name in FRONT else SURROUND for name in names])
    weights[[name.startswith("LFE") for name in names]] = 0
    weights[own < SILENT * own[loudest]] = 0
    if not weights.any():
        return Mix(alone[loudest])
    weights /= weights.sum()
    if weights @ powers @ weights < CANCELLED * own[loudest]:
        return Mix(
            alone[loudest],
            "the channels of the sound cancel each other (one is inverted): the louder one is used",
        )
    return Mix(weights)


def names_of(mask: int, channels: int) -> tuple[str, ...]:
    """Names of the channels of a WAV file; none if its mask does not name them all."""
    names = tuple(name for bit, name in enumerate(IN_MASK) if mask >> bit & 1)
    return names if len(names) == channels else ()


def voice_of(
    read: Channels,
    length: int,
    rate: int,
    channels: int,
    name: str,
    names: tuple[str, ...] = (),
    floating: bool = True,
) -> MonoSound:
    """The voice in a sound of `channels`: one channel unchanged, several mixed. floating: its
    samples were stored as floats, so they may be NaN, or integers that were not scaled to [-1, 1].
    AudioError, with `name` in it, if too many are NaN, infinite or beyond all integers."""
    if not floating and channels == 1:
        return MonoSound(lambda start, stop: _single(read(start, stop), 1.0), length, rate)
    powers, peak, broken = np.zeros((channels, channels)), 0.0, 0
    starts = range(0, length, PIECE)
    if len(starts) > PIECES:
        starts = range(0, length - PIECE, (length - PIECE) // PIECES)
    for start in starts:
        with np.errstate(invalid="ignore"):  # a signalling NaN, which is counted below
            piece = read(start, min(start + PIECE, length)).astype(np.float64)
        good = np.abs(piece) < np.finfo(np.float32).max  # False for NaN too
        broken += int((~good).sum())
        piece[~good] = 0
        peak = max(peak, float(np.abs(piece).max(initial=0)))
        powers += piece.T @ piece
    looked = channels * sum(min(PIECE, length - start) for start in starts)
    scale = 1.0
    if peak > INTEGERS:
        scale = next((full for full in FULL_SCALES if peak <= full), 0.0)
    if broken > MAX_BROKEN * looked or not scale:
        raise AudioError(f"{name} holds samples that are not finite numbers; export it again")
    mix = choose_mix(powers, names)
    notes = [mix.note] if mix.note else []
    if broken:
        notes.append(f"{broken} samples are not finite numbers: silence takes their place")
    if scale > 1:
        notes.append(
            f"its floats reach {peak:.0f}: they are read as integers of full scale {scale:.0f}"
        )
    weights = mix.weights / scale

    def mono(start: int, stop: int) -> Float32:
        piece = read(start, stop)
        if channels == 1:
            return _single(piece, scale)
        whole = np.where(np.isfinite(piece), piece, 0).astype(np.float64)
        return _finite((whole @ weights).astype(np.float32))

    return MonoSound(mono, length, rate, tuple(notes))


def _single(piece: NDArray[np.floating[Any]], scale: float) -> Float32:
    """(n,) of (n, 1)."""
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, replaced below
        samples = piece[:, 0].astype(np.float32, copy=False)
    return _finite(samples if scale == 1 else samples / np.float32(scale))


def _finite(samples: Float32) -> Float32:
    good = np.isfinite(samples)
    return samples if good.all() else np.where(good, samples, np.float32(0))
