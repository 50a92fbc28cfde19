"""Reads sound files of any kind, and parts of them, as the waveform that everything else uses."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from pathlib import Path

import numpy as np

from ..errors import AudioError
from ..records.voice import RATE, SoundMix, SoundPart, Voice, Waveform
from ..system.files import open_regular
from .channels import MonoSound
from .decoders import compressed_reader
from .resample import resampled_length
from .wav import MAX_FILE_BYTES, wav_layout, wav_reader
from .waveform import from_mono

SMALL = 8_000_000  # bytes of a compressed file that is decoded whole to get its length


def decoded(voice: Voice) -> Waveform:
    """The samples of any voice. Errors as load_waveform; AudioError if a part is empty."""
    if isinstance(voice, SoundMix):
        return _mixed(voice)
    if isinstance(voice, Waveform):
        return voice
    if isinstance(voice, SoundPart):
        return part_of(load_waveform(voice.path), voice)
    return load_waveform(voice)


def load_waveform(path: Path) -> Waveform:
    """The waveform of a sound file. Errors as reader_of."""
    try:
        return from_mono(reader_of(path))
    except MemoryError:
        raise AudioError(f"{Path(path).name} does not fit in memory; cut it into parts") from None


def reader_of(path: Path) -> MonoSound:
    """The mono samples of a sound file piece by piece, their number and rate. WAV, recognised by
    content and not by suffix, is read here; other formats by optional packages. AudioError
    (missing, empty, cut off, impossible rate, not a sound, longer than six hours),
    MissingPackageError."""
    path = Path(path)
    file, size = open_regular(path, AudioError, MAX_FILE_BYTES)
    file.close()
    if size == 0:
        raise AudioError(f"{path.name} is an empty file; export the sound again")
    return wav_reader(path) or compressed_reader(path)


def sound_length(voice: Voice) -> int | None:
    """The number of samples that `decoded` will return, without their memory; None if a small
    compressed file is better decoded at once. AudioError if the file is missing or broken, or the
    part empty."""
    if isinstance(voice, Waveform):
        return len(voice)
    if isinstance(voice, SoundMix):
        return _mixed_length(voice)
    path = voice.path if isinstance(voice, SoundPart) else voice
    layout = wav_layout(path)
    if layout is not None:
        length, rate = layout.length, layout.rate
    elif path.stat().st_size <= SMALL:
        return None
    else:
        found = reader_of(path)
        length, rate = found.length, found.rate
    length = resampled_length(length, rate, RATE)
    if isinstance(voice, SoundPart):
        silence, start, stop = range_of(voice, length)
        return silence + stop - start
    return length


def part_of(whole: Waveform, part: SoundPart, may_be_empty: bool = False) -> Waveform:
    """The part of the file's waveform, after silence if `skip` is negative. AudioError if nothing
    of the file is in it, unless it may be empty."""
    silence, start, stop = range_of(part, len(whole), may_be_empty)
    samples = whole.samples[start:stop]
    if silence:
        samples = np.concatenate([np.zeros(silence, np.float32), samples])
    return Waveform(samples, notes=whole.notes)


def _mixed(mix: SoundMix) -> Waveform:
    files = {p.sound.path: None for p in mix.sounds if isinstance(p.sound, SoundPart)}
    whole = {path: load_waveform(path) for path in files}
    parts = []
    for placed in mix.sounds:
        sound = placed.sound
        if isinstance(sound, SoundPart):
            sound = part_of(whole[sound.path], sound, may_be_empty=True)
        parts.append((sample_at(placed.at), sound.samples))
    out = np.zeros(mix_length(mix, parts), np.float32)
    for first, samples in parts:
        out[first : first + len(samples)] += samples
    notes = dict.fromkeys(note for waveform in whole.values() for note in waveform.notes)
    return Waveform(out, notes=tuple(notes))


def _mixed_length(mix: SoundMix) -> int | None:
    lengths = []
    for placed in mix.sounds:
        length = _length_or_nothing(placed.sound)
        if length is None:
            return None
        lengths.append((sample_at(placed.at), range(length)))
    return mix_length(mix, lengths)


def _length_or_nothing(sound: SoundPart | Waveform) -> int | None:
    """As sound_length, 0 for a part that plays nothing."""
    if isinstance(sound, Waveform):
        return len(sound)
    length = sound_length(sound.path)
    if length is None:
        return None
    silence, start, stop = range_of(sound, length, may_be_empty=True)
    return silence + stop - start


def sample_at(seconds: float) -> int:
    return max(round(seconds * RATE), 0)


def mix_length(mix: SoundMix, parts: Iterable[tuple[int, Sized]]) -> int:
    """Samples of the mix. parts: first sample and samples of each sound."""
    return max([sample_at(mix.seconds), *(first + len(samples) for first, samples in parts)])


def range_of(part: SoundPart, length: int, may_be_empty: bool = False) -> tuple[int, int, int]:
    """Samples of silence, then first and last (excluded) sample of a file of `length` samples; all
    0 for a part of nothing that may be empty."""
    first = round(part.skip * RATE)
    last = first + round(part.seconds * RATE)
    if part.slack is not None and last >= length - RATE * part.slack:
        last = length
    start, stop = max(first, 0), min(max(last, 0), length)
    if stop <= start and may_be_empty:
        return 0, 0, 0
    if stop <= start:
        raise AudioError(f"sound strip {part.name!r} plays nothing of its file; move its handles")
    return max(-first, 0), start, stop
