"""Sound files, of whatever kind, to the waveform that everything else works on."""

from __future__ import annotations

from pathlib import Path

from ..errors import AudioError
from ..system.files import open_regular
from .decoders import decode
from .wav import MAX_FILE_BYTES, load_wav
from .waveform import Waveform


def load_waveform(path: Path) -> Waveform:
    """The waveform of a sound file. Plain WAV is read here, by content and not by suffix; the rest
    by optional packages. AudioError (missing, empty, cut off, silly rate, not a sound, longer than
    six hours), MissingPackageError."""
    path = Path(path)
    file, size = open_regular(path, AudioError, MAX_FILE_BYTES)
    file.close()
    if size == 0:
        raise AudioError(f"{path.name} is an empty file; export the sound again")
    waveform = load_wav(path)
    return decode(path) if waveform is None else waveform
