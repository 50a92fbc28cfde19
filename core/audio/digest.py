"""The digest of a voice, by which a finished picture is recognised.

Of a sound it has a mark for each block, so that an edit makes only the pictures stale that hear it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import AudioError
from ..records.audio_track import MARGIN, AudioTrack
from ..records.feature_spec import FeatureSpec
from ..records.voice import RATE, AnyVoice, Samples, SoundMix, SoundPart, Waveform, sound_files
from ..system.files import hash_of, open_regular, reason
from .files import sample_at
from .phonetic import AROUND, BLEND, CONTEXT, CORE, STEPS_PER_SECOND
from .samples import samples_of
from .wav import MAX_FILE_BYTES, wav_layout

BLOCK_SECONDS = 2
BLOCK = BLOCK_SECONDS * RATE  # samples
DIGITS = 16  # of a block's mark, hexadecimal
UNKNOWN = "-" * DIGITS
IN_BLOCKS = "blocks "
WINDOW = CORE / STEPS_PER_SECOND  # seconds; the phonetic network works on a grid of these
BEYOND = (CONTEXT + BLEND + AROUND + 5) / STEPS_PER_SECOND  # what it hears before and after one
NEAR = 3.0 + BLEND / STEPS_PER_SECOND  # more than windows.MAX_STEPS and the rows around a picture


def voice_digest(
    voice: AnyVoice, spec: FeatureSpec | None, seconds: Iterable[float] | None = None
) -> str:
    """What determines the features of pictures at these seconds, None for all. spec: of the
    features. A sound that core reads piece by piece gets a mark for each block, of its samples at
    16 kHz; everything else, and a sound whose mean counts as a whole, gets its voice_hash.
    AudioError."""
    if spec is None or spec.normalisation == "clip" or not _is_in_pieces(voice):
        return voice_hash(voice)
    assert isinstance(voice, Waveform | SoundMix | SoundPart | Path)
    samples, _ = samples_of(voice)
    count = -(-len(samples) // BLOCK)
    wanted: Iterable[int] = range(count)
    if seconds is not None:
        wanted = {block for time in seconds for block in blocks_heard(time)}
    marks = [_mark(samples, block) if block in wanted else UNKNOWN for block in range(count)]
    return IN_BLOCKS + "".join(marks)


def heard(digest: str, seconds: Iterable[float]) -> str:
    """The part of a voice_digest that determines a picture of moments at these seconds."""
    if not digest.startswith(IN_BLOCKS):
        return digest
    blocks = sorted({block for time in seconds for block in blocks_heard(time)})
    marks = digest.removeprefix(IN_BLOCKS)
    return " ".join(f"{block}:{marks[block * DIGITS :][:DIGITS]}" for block in blocks)


def blocks_heard(seconds: float) -> range:
    """The blocks that a picture at that time can hear, with features of any kind: those of the
    phonetic windows around it, which reach farthest."""
    first = (seconds - NEAR) // WINDOW * WINDOW - BEYOND
    last = ((seconds + NEAR) // WINDOW + 1) * WINDOW + BEYOND
    start = max(int(first // BLOCK_SECONDS), 0)
    return range(start, max(int(last // BLOCK_SECONDS) + 1, start))


def _is_in_pieces(voice: AnyVoice) -> bool:
    if isinstance(voice, AudioTrack) or voice is None:
        return False
    return all(wav_layout(path) is not None for path in sound_files(voice))


def _mark(samples: Samples, block: int) -> str:
    part = np.ascontiguousarray(samples[block * BLOCK : (block + 1) * BLOCK])
    return hashlib.sha256(part).hexdigest()[:DIGITS]


def voice_hash(voice: AnyVoice) -> str:
    """SHA-256, hexadecimal, of what determines the sound: the content of files, not their names;
    the places of parts, in samples. The same on every machine. The features of a sound have another
    digest than the sound. AudioError if a file cannot be read."""
    digest = hashlib.sha256()
    if isinstance(voice, SoundMix):
        digest.update(f"mix {sample_at(voice.seconds)}".encode())
        for placed in voice.sounds:
            digest.update(f" {sample_at(placed.at)} {voice_hash(placed.sound)}".encode())
    elif isinstance(voice, SoundPart):
        place = f"{round(voice.skip * RATE)} {round(voice.seconds * RATE)} {voice.slack}"
        digest.update(f"part {place} {_file_hash(voice.path)}".encode())
    elif isinstance(voice, Waveform):
        digest.update(f"samples {voice.rate} ".encode())
        digest.update(np.ascontiguousarray(voice.samples))
    elif isinstance(voice, AudioTrack):
        _add_track(digest, voice)
    elif voice is not None:
        digest.update(f"file {_file_hash(voice)}".encode())
    return digest.hexdigest()


def _add_track(digest: hashlib._Hash, track: AudioTrack) -> None:
    """All that the network can see of it, whatever margin it was given."""
    outside = np.zeros(track.windows.shape[1:], np.float32)
    if track.outside is not None:
        outside = track.outside
    digest.update(f"track {len(track)} {track.windows.shape[1:]} ".encode())
    around = np.ascontiguousarray(outside).tobytes() * (MARGIN - track.margin)
    for part in (
        around,
        np.ascontiguousarray(track.windows),
        around,
        np.ascontiguousarray(outside),
    ):
        digest.update(part)


def _file_hash(path: Path) -> str:
    file, _ = open_regular(path, AudioError, MAX_FILE_BYTES)
    file.close()
    try:
        status = path.stat()
        return _hash_of(path.absolute(), status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {reason(error)}") from None


@lru_cache(maxsize=64)
def _hash_of(path: Path, _size: int, _changed: int) -> str:
    """Read once for each state of the file: several heads and takes share long recordings."""
    return hash_of(path)
