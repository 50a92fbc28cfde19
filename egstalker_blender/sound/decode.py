"""Any sound file that Blender can decode, as the core's Waveform."""

from __future__ import annotations

from pathlib import Path

from ...core.audio.encoder_delay import seconds_before
from ...core.audio.wav import load_wav
from ...core.audio.waveform import check_layout, from_samples
from ...core.errors import AudioError
from ...core.records.voice import Waveform
from ...core.system.leftovers import temporary_folder
from .elsewhere import mixed_file


def waveform_of_file(path: Path) -> Waveform:
    """The samples of a sound file, not resampled. Core reads plain WAV, so that Blender and the
    command line get the same numbers; Blender decodes everything else. For any thread. AudioError
    if the file is missing or cannot be decoded; EngineError."""
    if not path.is_file():
        raise AudioError(f"sound file {str(path)!r} is not there; link it again")
    return load_wav(path) or _decode(path)


def waveform_of_bytes(data: bytes, name: str) -> Waveform:
    """The samples of a packed sound. The suffix of `name` gives the decoder the format."""
    with temporary_folder() as folder:
        path = Path(folder) / f"packed{Path(name).suffix}"
        path.write_bytes(data)
        return waveform_of_file(path)


def _decode(path: Path) -> Waveform:
    try:
        import aud
    except ImportError:  # built without Audaspace's Python module, or for another numpy
        return mixed_file(path)
    try:
        sound = aud.Sound(str(path))
        rate, channels = sound.specs
        check_layout(sound.length, channels, rate, path.name)
        # `data` alone ends the process where the file can no longer be read; `cache` raises.
        samples = sound.cache().data()
    except aud.error as error:
        raise AudioError(f"{path.name} cannot be decoded ({error}); convert it to WAV") from None
    return from_samples(samples[round(seconds_before(path) * rate) :], rate, path.name)
