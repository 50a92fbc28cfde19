"""One voice from the channels of a sound track."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ...audio.channels import Mix, choose_mix
from .pieces import Piece


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
