"""One voice from the channels of a sound track."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ...records.arrays import Float64
from .pieces import Piece

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


@dataclass(frozen=True, eq=False)
class Mix:
    """weights (channels,) of one mono voice, their sum is 1. note: for the user, or empty."""

    weights: Float64
    note: str = ""


def mix_of(pieces: Iterable[Piece]) -> Mix:
    """The mix for a whole track, by the power of its channels and of their sum."""
    names: tuple[str, ...] = ()
    powers = np.zeros((1, 1))
    for piece in pieces:
        if not names:
            names, powers = piece.names, np.zeros((len(piece.names),) * 2)
        samples = piece.samples.astype(np.float64)
        powers += samples.T @ samples
    return choose_mix(powers, names)


def choose_mix(powers: Float64, names: tuple[str, ...]) -> Mix:
    """powers (c, c): sums of products of channels. names: libav's short names."""
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
