"""Reads sound files of any kind, and parts of them, as the waveform that everything else uses."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import AudioError
from ..records.voice import RATE, SoundPart, Voice, Waveform
from ..system.files import open_regular
from .decoders import decode
from .resample import resampled_length
from .wav import MAX_FILE_BYTES, load_wav, wav_layout


def decoded(voice: Voice) -> Waveform:
    """The samples of any voice. Errors as load_waveform; AudioError if a part is empty."""
    if isinstance(voice, Waveform):
        return voice
    if isinstance(voice, SoundPart):
        return part_of(load_waveform(voice.path), voice)
    return load_waveform(voice)


def load_waveform(path: Path) -> Waveform:
    """The waveform of a sound file. Plain WAV, recognised by content and not by suffix, is read
    here; other formats by optional packages. AudioError (missing, empty, cut off, impossible rate,
    not a sound, longer than six hours), MissingPackageError."""
    path = Path(path)
    file, size = open_regular(path, AudioError, MAX_FILE_BYTES)
    file.close()
    if size == 0:
        raise AudioError(f"{path.name} is an empty file; export the sound again")
    waveform = load_wav(path)
    return decode(path) if waveform is None else waveform


def sound_length(voice: Voice) -> int | None:
    """The number of samples that `decoded` will return, from the header of a plain WAV file; None
    if only decoding gives it. AudioError if the file is missing or broken, or the part empty."""
    if isinstance(voice, Waveform):
        return len(voice)
    layout = wav_layout(voice.path if isinstance(voice, SoundPart) else voice)
    if layout is None:
        return None
    length = resampled_length(layout.length, layout.rate, RATE)
    if isinstance(voice, SoundPart):
        silence, start, stop = range_of(voice, length)
        return silence + stop - start
    return length


def part_of(whole: Waveform, part: SoundPart) -> Waveform:
    """The part of the file's waveform, after silence if `skip` is negative. AudioError if nothing
    of the file is in it."""
    silence, start, stop = range_of(part, len(whole))
    samples = whole.samples[start:stop]
    if silence:
        samples = np.concatenate([np.zeros(silence, np.float32), samples])
    return Waveform(samples)


def range_of(part: SoundPart, length: int) -> tuple[int, int, int]:
    """Samples of silence, then first and last (excluded) sample of a file of `length` samples."""
    first = round(part.skip * RATE)
    last = first + round(part.seconds * RATE)
    if part.slack is not None and last >= length - RATE * part.slack:
        last = length
    start, stop = max(first, 0), min(max(last, 0), length)
    if stop <= start:
        raise AudioError(f"sound strip {part.name!r} plays nothing of its file; move its handles")
    return max(-first, 0), start, stop
