"""Log-mel bands: librosa is the oracle; where it is not installed, its stored values are.

tests/golden/audio_logmel.npz holds what librosa 0.11 made of sweep() with both sets of parameters
below (melspectrogram with power=2, center=True, pad_mode="constant", norm="slaney", htk=False, then
log(log_epsilon + x)); float32, tolerance 1e-4."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.audio import logmel as module
from core.audio.files import load_waveform
from core.audio.logmel import LogMel, log_mel, mel_filters, parameters_from
from core.errors import FeatureMismatchError

TOLERANCE = 1e-4
GOLDEN = Path(__file__).parents[1] / "golden" / "audio_logmel.npz"
OTHER = LogMel(
    n_fft=1024, win_length=1024, hop_length=160, n_mels=40, fmin=0, fmax=8000, log_epsilon=1e-3
)


def sweep(seconds: float = 0.5) -> NDArray[np.float32]:
    """A tone that rises from 50 to 7950 Hz and fades."""
    t = np.arange(round(16000 * seconds)) / 16000
    phase = 2 * np.pi * (50 * t + 3950 / seconds * t**2)
    return (np.sin(phase) * np.exp(-6 * t / seconds)).astype(np.float32)


def by_librosa(samples: NDArray[np.float32], mel: LogMel) -> NDArray[np.float32]:
    librosa = pytest.importorskip("librosa", reason="needs librosa, the oracle of log-mel")
    power = librosa.feature.melspectrogram(
        y=samples,
        sr=mel.sample_rate,
        n_fft=mel.n_fft,
        hop_length=mel.hop_length,
        win_length=mel.win_length,
        window="hann",
        center=True,
        pad_mode="constant",
        power=2.0,
        n_mels=mel.n_mels,
        fmin=mel.fmin,
        fmax=mel.fmax,
    )
    bands: NDArray[np.float32] = np.log(mel.log_epsilon + power).T
    return bands


@pytest.mark.parametrize(("key", "mel"), [("default", LogMel()), ("other", OTHER)])
def test_equals_golden_librosa(key: str, mel: LogMel) -> None:
    with np.load(GOLDEN) as golden:
        np.testing.assert_allclose(log_mel(sweep(), mel), golden[key], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("mel", [LogMel(), OTHER, replace(LogMel(), win_length=333)])
@pytest.mark.parametrize("length", [1600, 16319, 16320])
def test_equals_librosa(mel: LogMel, length: int) -> None:
    samples = np.random.default_rng(length).normal(0, 0.2, length).astype(np.float32)
    samples[length // 2 :] *= 1e-4  # down to where epsilon matters
    ours, theirs = log_mel(samples, mel), by_librosa(samples, mel)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("mel", [LogMel(), OTHER])
def test_filters_equal_librosa(mel: LogMel) -> None:
    librosa = pytest.importorskip("librosa", reason="needs librosa, the oracle of log-mel")
    theirs = librosa.filters.mel(
        sr=mel.sample_rate, n_fft=mel.n_fft, n_mels=mel.n_mels, fmin=mel.fmin, fmax=mel.fmax
    )
    np.testing.assert_allclose(mel_filters(mel), theirs, rtol=0, atol=1e-8)


def test_equals_the_clip(shared: Path) -> None:
    clip = shared / "talker_clip"
    with np.load(clip / "mel.npz") as stored:
        bands = stored["mel50"]
    ours = log_mel(load_waveform(clip / "aud.wav").samples, LogMel())
    assert ours.shape == bands.shape == (1573, 29)
    np.testing.assert_allclose(ours, bands, rtol=0, atol=TOLERANCE)


def test_chunks_are_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = log_mel(sweep(), LogMel())
    monkeypatch.setattr(module, "CHUNK", 3 * 512)
    np.testing.assert_allclose(log_mel(sweep(), LogMel()), whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("length", "steps"), [(0, 1), (1, 1), (319, 1), (320, 2)])
def test_short_sounds(length: int, steps: int) -> None:
    bands = log_mel(np.zeros(length, np.float32), LogMel())
    assert bands.shape == (steps, 29)
    np.testing.assert_allclose(bands, np.log(1e-5), rtol=1e-6)


def test_parameters_come_back_from_a_header() -> None:
    assert parameters_from(asdict(OTHER)) == OTHER
    assert parameters_from({**asdict(OTHER), "n_fft": 1024.0}) == OTHER


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hop_length": None}, "hop_length"),
        ({"n_fft": "512"}, "n_fft"),
        ({"n_fft": True}, "n_fft"),
        ({"fmin": float("nan")}, "fmin"),
        ({"fmax": 10**400}, "fmax"),
        ({"fmax": 9000}, "impossible"),
        ({"fmax": 60.5}, "impossible"),
        ({"win_length": 513}, "impossible"),
        ({"n_fft": 511}, "impossible"),
        ({"n_mels": 1.5}, "impossible"),
        ({"hop_length": 0}, "impossible"),
        ({"log_epsilon": 0}, "impossible"),
        ({"pre_emphasis": 0.97}, "unknown 'pre_emphasis'"),
    ],
)
def test_impossible_parameters_say_why(change: dict[str, Any], message: str) -> None:
    with pytest.raises(FeatureMismatchError, match=message) as caught:
        parameters_from({**asdict(LogMel()), **change})
    assert "\n" not in str(caught.value)


def test_a_missing_parameter_is_no_default() -> None:
    values = asdict(LogMel())
    del values["fmax"]
    with pytest.raises(FeatureMismatchError, match="lack 'fmax'"):
        parameters_from(values)
