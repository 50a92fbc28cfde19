"""WAV files with numpy alone: PCM of 8, 16, 24, 32 bits, float of 32, 64 bits, mu-law, A-law and
ADPCM, any channels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError
from ..records.voice import Waveform
from ..system.files import open_regular
from .channels import MonoSound, names_of, voice_of
from .wav_chunks import WavLayout, read_layout
from .wav_samples import FLOAT, samples_of_bytes
from .waveform import from_mono

MAX_FILE_BYTES = 1 << 36


def load_wav(path: Path) -> Waveform | None:
    """The waveform of a WAV file, or None if it is another container or has compressed samples,
    which another decoder may read. AudioError if the file is broken."""
    found = wav_reader(path)
    return None if found is None else from_mono(found)


def wav_reader(path: Path) -> MonoSound | None:
    """For a WAV file: its mono samples piece by piece, their number and rate; None and errors as
    load_wav."""
    layout = wav_layout(path)
    if layout is None:
        return None

    def read(start: int, stop: int) -> NDArray[np.floating[Any]]:
        return _decode(path, layout, start, stop)

    names = names_of(layout.mask, layout.channels)
    sound = voice_of(
        read,
        layout.length,
        layout.rate,
        layout.channels,
        path.name,
        names,
        floating=layout.code == FLOAT,
    )
    return replace(sound, notes=(*layout.notes, *sound.notes))


def wav_layout(path: Path) -> WavLayout | None:
    """The layout of a WAV file, from its header alone; None and errors as load_wav."""
    file, size = open_regular(path, AudioError, MAX_FILE_BYTES)
    with file:
        layout = read_layout(file, size, path.name)
    if layout is not None and layout.length == 0:
        raise AudioError(f"{path.name} holds no sound; check that its recording was finished")
    return layout


def _decode(
    path: Path, layout: WavLayout, start: int, stop: int
) -> NDArray[np.float32] | NDArray[np.float64]:
    """(stop - start, channels), integers divided by their full scale."""
    size, each = layout.block
    first, last = start // each, -(-stop // each)
    file, _ = open_regular(path, AudioError, MAX_FILE_BYTES)
    with file:
        file.seek(layout.start + first * size)
        raw = file.read((last - first) * size)
    if layout.blocks is not None:
        there = len(raw) // size * each + layout.blocks.samples(len(raw) % size)
        raw = raw.ljust((last - first) * size, b"\0")  # the last block may be cut off
    else:
        there = len(raw) // size
    if there < stop - first * each:
        raise AudioError(f"{path.name} became shorter while it was read; try again")
    if layout.blocks is not None:
        return layout.blocks.decode(raw)[start - first * each : stop - first * each]
    samples = samples_of_bytes(raw, layout.code, layout.width, layout.order)
    return samples.reshape(-1, layout.channels)
