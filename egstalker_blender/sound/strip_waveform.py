"""The voice of an avatar: a strip as it is heard, or a file, as the core's Waveform.

A strip's volume is left out on purpose: it belongs to the mix, not to the voice.
"""

from __future__ import annotations

import numpy as np

from ...core.errors import AudioError
from ...core.records.voice import RATE, Waveform
from .decode import waveform_of_bytes, waveform_of_file
from .mixdown import mixed_strip
from .strips import StripWindow


def waveform_of_strip(window: StripWindow) -> Waveform:
    """What the strip plays between its handles; time 0 is the left one. Silence where it is
    muted; a retimed strip is mixed down by Blender. AudioError where the file is missing or cannot
    be decoded."""
    if window.muted:
        return Waveform(np.zeros(max(round(window.seconds * RATE), 1), np.float32))
    if window.retimed:
        return mixed_strip(window)
    if window.packed is not None:
        whole = waveform_of_bytes(window.packed, window.path.name)
    else:
        whole = waveform_of_file(window.path)
    return between_handles(window, whole)


def between_handles(window: StripWindow, whole: Waveform) -> Waveform:
    """The part of the file `whole` that the strip plays, silence before it where there is some."""
    samples = whole.samples
    first = round(window.skip * RATE)
    last = first + round(window.seconds * RATE)
    # A strip is whole frames long: an untrimmed one must not lose the last part of a frame.
    if not window.cut and last >= len(samples) - RATE / window.fps:
        last = len(samples)
    heard = samples[max(first, 0) : max(last, 0)]
    if first < 0 < len(heard):
        heard = np.concatenate([np.zeros(-first, np.float32), heard])
    if not len(heard):
        raise AudioError(f"sound strip {window.name!r} plays nothing of its file; move its handles")
    return Waveform(heard)
