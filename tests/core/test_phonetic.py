"""Phonetic features: the original recogniser is the oracle of our network.

tests/golden/audio_phonetic.npz holds a sentence by espeak-ng ("Hello, a blue moon.", voice
en-us+f2, 16 kHz, 16 bits), half a second of noise, and the 191 log-probabilities that hama 1.7.0's
own library makes of both, rounded to half precision. Tolerance: 1e-3 of a probability; the library
rounds its bands to half precision and this program does not."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.audio import conformer, phonetic_weights
from core.audio import phonetic as module
from core.audio.extractor import BOTH, COMPUTED, computed_spec, extractor_of
from core.audio.features import track_from_waveform
from core.audio.phonetic import CORE, DIM, KIND, phonetic, readout, silent_step
from core.audio.phonetic_network import STEP, bands, erf, hidden_layers
from core.audio.phonetic_weights import PATH, load_weights
from core.audio.streams import SPAN, PhoneticStream
from core.avatar.header import document_of, header_of
from core.errors import FeatureMismatchError
from core.live.stream import SoundStream
from core.records.feature_spec import FeatureSpec
from core.records.voice import RATE, Waveform
from core.system.gemm import Gemm, numpy_has_blas, numpy_has_calm_blas
from core.system.steps import finished
from tests.support import plain_phonetic
from tests.support.avatar_inputs import small_avatar

GOLDEN = Path(__file__).parents[1] / "golden" / "audio_phonetic.npz"
Float32 = NDArray[np.float32]


def raw_steps(samples: Float32, spec: FeatureSpec) -> Float32:
    return finished(extractor_of(spec).pieces(samples))


@pytest.fixture(scope="module")
def speech() -> Float32:
    with np.load(GOLDEN) as golden:
        return golden["speech"].astype(np.float32) / 32768


@pytest.mark.parametrize("sound", ["speech", "noise"])
def test_network_equals_the_original(sound: str) -> None:
    with np.load(GOLDEN) as golden:
        samples, wanted = golden[sound], golden[f"{sound}_log_probs"].astype(np.float32)
    if samples.dtype == np.int16:
        samples = samples.astype(np.float32) / 32768
    weights = load_weights()
    layers = hidden_layers(bands(samples, weights), weights)
    scores = layers[:, -1] @ weights["phonemes.weight"].T + weights["phonemes.bias"]
    scores = scores - scores.max(1, keepdims=True)
    got = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    assert got.shape == wanted.shape
    np.testing.assert_allclose(np.exp(got), np.exp(wanted), rtol=0, atol=1e-3)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=0.05)


@pytest.mark.parametrize("blas", [True, False])
def test_the_fast_network_is_the_plain_one(blas: bool, speech: Float32) -> None:
    weights = load_weights()
    loud = 300 * np.random.default_rng(0).normal(size=RATE).astype(np.float32)
    for samples in (speech, loud, speech[:3000]):
        mel = bands(samples, weights)
        got = readout(hidden_layers(mel, weights, blas), weights)
        wanted = readout(plain_phonetic.hidden_layers(mel, weights), weights)
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-4)


def test_attention_of_scores_that_would_overflow() -> None:
    joined = np.random.default_rng(0).normal(0, 20, (300, 3 * conformer.WIDTH)).astype(np.float32)
    got = conformer.attention(joined, [slice(0, 160), slice(160, 300)], Gemm(blas=True))
    query, key, value = joined.reshape(300, 3, 4, 36).transpose(1, 2, 0, 3)
    scores = query @ key.transpose(0, 2, 1)
    assert scores.max() > 1000
    shares = np.exp(scores - scores.max(2, keepdims=True))
    wanted = (shares / shares.sum(2, keepdims=True)) @ value
    np.testing.assert_allclose(got, wanted.transpose(1, 0, 2).reshape(300, -1), rtol=0, atol=2e-3)


def test_error_function() -> None:
    x = np.linspace(-5, 5, 1001, dtype=np.float32)
    wanted = [math.erf(value) for value in x]
    np.testing.assert_allclose(erf(x), wanted, rtol=0, atol=5e-7)


def test_threads_of_a_blas_are_avoided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    assert numpy_has_calm_blas() == numpy_has_blas()
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    assert not numpy_has_calm_blas()
    monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    assert not numpy_has_calm_blas()


def test_speech_and_silence_are_told_apart(speech: Float32) -> None:
    classes = load_weights().classes
    sounded = np.concatenate([np.zeros(RATE, np.float32), speech, np.zeros(RATE, np.float32)])
    quiet = phonetic(sounded)[:, classes.index("sil")]
    assert quiet[10:40].min() > 0.6 and quiet[-40:-10].min() > 0.6
    assert np.median(quiet[55:105]) < 0.2
    assert classes[int(silent_step().argmax())] == "sil"


def test_lips_close_for_the_m_of_moon_and_round_after_it(speech: Float32) -> None:
    steps = phonetic(speech)
    classes = load_weights().classes
    lips = steps[:, classes.index("MBP")]
    closings = int(lips.argmax())
    assert lips.max() > 0.5
    assert steps[closings : closings + 15, classes.index("UW")].max() > 0.4


def _long(seconds: int) -> Float32:
    with np.load(GOLDEN) as golden:
        sentence = golden["speech"].astype(np.float32) / 32768
    return np.resize(np.concatenate([sentence, np.zeros(4000, np.float32)]), seconds * RATE)


def test_a_long_sound_equals_one_window_within_the_stated_bound() -> None:
    """Root mean square 0.05 of values of about 0 to 1: attention hears the window's whole text."""
    samples = _long(20)
    weights = load_weights()
    whole = readout(hidden_layers(bands(samples, weights), weights), weights)
    pieces = phonetic(samples)
    assert pieces.shape == (1 + len(samples) // STEP, DIM)
    assert np.sqrt(np.mean((pieces - whole) ** 2)) < 0.05


def test_what_comes_later_changes_nothing_far_before_it() -> None:
    samples = _long(30)
    np.testing.assert_allclose(
        phonetic(samples)[: CORE - 40],
        phonetic(samples[: 25 * RATE])[: CORE - 40],
        rtol=0,
        atol=1e-5,
    )


@pytest.mark.parametrize("length", [0, 1, 150, 201, 320, 4801])
def test_any_length(length: int) -> None:
    steps = phonetic(np.full(length, 0.01, np.float32))
    assert steps.shape == (1 + length // STEP, DIM) and np.isfinite(steps).all()


@pytest.mark.parametrize("kind", COMPUTED)
def test_kinds_are_tracks(kind: str, speech: Float32) -> None:
    spec = computed_spec(kind)
    steps = raw_steps(speech, spec)
    assert steps.shape == (1 + len(speech) // STEP, spec.dim)
    track = track_from_waveform(Waveform(speech), spec)
    assert track.outside is not None
    np.testing.assert_array_equal(track.outside[0], extractor_of(spec).silence())
    np.testing.assert_array_equal(track.windows[track.margin + 4, spec.pad], steps[8])


def test_joined_kind_is_both_side_by_side(speech: Float32) -> None:
    joined = raw_steps(speech, computed_spec(BOTH))
    apart = [raw_steps(speech, computed_spec(kind)) for kind in ("log-mel", KIND)]
    np.testing.assert_array_equal(joined, np.concatenate(apart, 1))


@pytest.mark.parametrize("kind", [KIND, BOTH])
def test_header_carries_hash_origin_and_licence(kind: str) -> None:
    avatar = replace(small_avatar(), features=computed_spec(kind))
    spec = header_of(json.loads(json.dumps(document_of(avatar)))).features
    assert spec == computed_spec(kind) and spec is not None
    carried = spec.parameters if kind == KIND else spec.parameters[KIND]
    assert carried["weights_sha256"] == phonetic_weights.SHA256
    assert "Apache-2.0" in carried["weights_licence"] and "hama" in carried["weights_origin"]


def test_notice_names_the_shipped_file() -> None:
    notice = PATH.with_name("phonetic.NOTICE.txt").read_text("utf-8")
    assert load_weights().sha256 in notice and "MIT License" in notice
    assert "Apache License" in PATH.with_name("LICENSE-APACHE.txt").read_text("utf-8")
    assert PATH.stat().st_size <= 5_000_000


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        (KIND, {"weights_sha256": "0" * 64}, "weights_sha256 000000000000, this program's b37eb"),
        (BOTH, {"weights_sha256": "0" * 64}, "weights_sha256 000000000000, this program's b37eb"),
        (KIND, {"sample_rate": 8000}, "sample_rate 8000, this program's 16000"),
    ],
)
def test_another_network_names_both_sides(
    kind: str, change: dict[str, object], message: str, speech: Float32
) -> None:
    spec = computed_spec(kind)
    old = spec.parameters if kind == KIND else spec.parameters[KIND]
    new = {**old, **change}
    spec = replace(spec, parameters=new if kind == KIND else {**spec.parameters, KIND: new})
    with pytest.raises(FeatureMismatchError, match=message):
        raw_steps(speech, spec)


def test_another_version_dim_or_rate_is_refused(speech: Float32) -> None:
    spec = computed_spec(KIND)
    with pytest.raises(FeatureMismatchError, match=r"version 2 of 22 .* version 1 of 22"):
        raw_steps(speech, replace(spec, version=2))
    with pytest.raises(FeatureMismatchError, match="of 23 values"):
        raw_steps(speech, replace(spec, dim=23))
    with pytest.raises(FeatureMismatchError, match="at 25 Hz"):
        raw_steps(speech, replace(spec, rate=25.0, stride=1))
    with pytest.raises(FeatureMismatchError, match="lack those of log-mel"):
        raw_steps(speech, replace(computed_spec(BOTH), parameters={}))


@pytest.fixture
def other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "phonetic.safetensors"
    monkeypatch.setattr(phonetic_weights, "PATH", path)
    load_weights.cache_clear()
    yield path
    load_weights.cache_clear()


def test_missing_or_changed_weights_are_refused(other_file: Path) -> None:
    with pytest.raises(FeatureMismatchError, match="install the program again"):
        load_weights()
    changed = bytearray(PATH.read_bytes())
    changed[-1] ^= 1
    other_file.write_bytes(bytes(changed))
    with pytest.raises(FeatureMismatchError, match="this program's phonetic network b37eb"):
        load_weights()


class TestLive:
    def test_stream_nears_the_whole_sound(self) -> None:
        """Steps with 0.32 s of sound after them, and those the stream does not revise any more."""
        samples = _long(6)
        stream = PhoneticStream(keep=1000)
        made = [stream.push(block) for block in np.array_split(samples, 75)]
        assert stream.count == 1 + (len(samples) - 200) // STEP
        assert sum(map(len, made)) == stream.count
        whole = phonetic(samples)[: stream.count]
        error = np.sqrt(np.mean((stream.steps - whole)[SPAN:-16] ** 2))
        assert error < 0.3 * whole.std()

    @pytest.mark.parametrize("kind", COMPUTED)
    def test_every_computed_kind_can_be_live(self, kind: str) -> None:
        spec = computed_spec(kind)
        stream = SoundStream(spec, 48000, 4)
        nothing = stream.newest().windows
        np.testing.assert_array_equal(nothing[0, 0], 0)
        block = np.zeros(48000, np.float32)
        stream.push(block)
        windows = stream.newest().windows
        assert windows.shape == (8, spec.window, spec.dim)
        np.testing.assert_allclose(windows[4, 8], extractor_of(spec).silence(), rtol=0, atol=0.25)


def test_every_value_has_a_class() -> None:
    assert len(load_weights().classes) == module.DIM
