"""Sound files other than WAV, decoded by librosa (soundfile, then audioread)."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError, MissingPackageError
from ..records.voice import Waveform
from .encoder_delay import seconds_before
from .waveform import MAX_SECONDS, from_samples


def decode(path: Path) -> Waveform:
    """The waveform of a compressed or unusual sound file, read at its own rate; channels and rate
    are converted as those of a WAV file, and what an encoder put before it is left out. AudioError
    if no decoder can read it, MissingPackageError without librosa.

    The header's length is not trusted: reading stops one second past the longest sound allowed.
    """
    samples, rate = _by_librosa(path)
    if not samples.size:
        raise AudioError(f"{path.name} holds no sound; check that its recording was finished")
    return from_samples(samples[round(seconds_before(path) * rate) :], rate, path.name)


def _by_librosa(path: Path) -> tuple[NDArray[np.float32], float]:
    """(T, channels) and rate."""
    # Both packages import deprecated modules, and librosa warns about its second decoder.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import librosa  # takes a second: only for a sound that needs it

            load = librosa.load
        except (ImportError, OSError) as error:  # OSError: soundfile does not find libsndfile
            raise MissingPackageError(
                f"{path.name} cannot be decoded without the Python package librosa "
                f"({_one_line(error)}); install it, or convert the sound to WAV"
            ) from None
        try:
            samples, rate = load(
                path, sr=None, mono=False, dtype="float32", duration=MAX_SECONDS + 1
            )
        except MemoryError:
            raise AudioError(f"{path.name} does not fit in memory; cut it into parts") from None
        except Exception as error:  # each decoder raises its own
            raise AudioError(
                f"{path.name} cannot be decoded ({_reasons(error, path)}); convert it to WAV"
            ) from None
    return samples.T, rate


def _reasons(error: Exception, path: Path) -> str:
    """soundfile's message and, if librosa went on to audioread, that one's."""
    both = [error] if error.__context__ is None else [error.__context__, error]
    opening = f"Error opening {str(path)!r}: "
    return "; ".join(_one_line(each).removeprefix(opening).rstrip(".") for each in both)


def _one_line(error: BaseException) -> str:
    if type(error).__name__ == "NoBackendError":  # audioread's, without a text
        return "no ffmpeg or other decoder reads it"
    return " ".join(str(error).split()) or type(error).__name__
