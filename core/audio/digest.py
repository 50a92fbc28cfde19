"""The digest of a voice, by which a finished picture is recognised."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import AudioError
from ..records.audio_track import MARGIN, AudioTrack
from ..records.voice import RATE, AnyVoice, SoundMix, SoundPart, Waveform
from ..system.files import hash_of, open_regular, reason
from .files import sample_at
from .wav import MAX_FILE_BYTES


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
