"""Values that an avatar reads from the phonetic network's blocks by weights of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.audio import phonetic
from core.audio.extractor import computed_spec, extractor_of
from core.audio.features import track_from_waveform
from core.audio.phonetic_network import N_FFT, STEP, bands, hidden_layers
from core.audio.phonetic_weights import load_weights
from core.avatar.file import load_avatar, save_avatar
from core.avatar.summary import summarise
from core.errors import FeatureMismatchError
from core.records.feature_spec import FeatureSpec, MouthMap
from core.records.voice import RATE, Waveform
from core.system.steps import finished
from core.training.mouth_layers import reading
from tests.support.talking import small_avatar

OWN = 3


def own() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (0.05 * rng.normal(size=(OWN, phonetic.LAYERS))).astype(np.float32)


def spec() -> FeatureSpec:
    plain = computed_spec("phonetic")
    dim = phonetic.DIM
    plain = replace(plain, normalisation="fixed", mean=(0.2,) * dim, std=(0.5,) * dim)
    return reading(plain, own())


def noise(seconds: float) -> np.ndarray:
    rng = np.random.default_rng(1)
    count = int(seconds * RATE)
    return (0.3 * rng.normal(size=count) * np.sin(np.arange(count) / 3000)).astype(np.float32)


def test_they_follow_the_common_ones_and_are_weighted_sums_of_the_blocks() -> None:
    samples, weights = noise(2), load_weights()
    steps = finished(extractor_of(spec()).pieces(samples))
    assert steps.shape == (101, phonetic.DIM + OWN) and extractor_of(spec()).dim == 25
    np.testing.assert_array_equal(steps[:, : phonetic.DIM], phonetic.phonetic(samples))
    layers = hidden_layers(bands(samples, weights), weights).reshape(101, -1)
    np.testing.assert_allclose(steps[:, phonetic.DIM :], layers @ own().T, atol=1e-4)


def test_parts_of_a_sound_have_the_bits_of_the_whole() -> None:
    samples = noise(20)
    extractor = extractor_of(spec())
    whole = finished(extractor.pieces(samples))
    for part in (range(0, 3), range(395, 425), range(990, 1001)):
        found = finished(extractor.pieces(samples, part))
        assert np.array_equal(found, whole[part.start : part.stop])


def test_silence_is_the_middle_of_a_silent_sound() -> None:
    silent = extractor_of(spec()).silence()
    steps = finished(extractor_of(spec()).pieces(np.zeros(4 * RATE, np.float32)))
    np.testing.assert_allclose(silent, steps[100], atol=1e-5)


def test_a_live_sound_has_them_too() -> None:
    samples, weights = noise(2), load_weights()
    stream = extractor_of(spec()).stream(1000)
    stream.push(samples)
    used = samples[: (stream.count - 1) * STEP + N_FFT // 2 + 1]
    layers = hidden_layers(bands(used, weights), weights)
    assert stream.steps.shape == (stream.count, 25) and stream.count > 90
    np.testing.assert_array_equal(
        stream.steps[:, : phonetic.DIM], phonetic.readout(layers, weights)
    )
    flat = layers.reshape(len(layers), -1)
    np.testing.assert_allclose(stream.steps[:, phonetic.DIM :], flat @ own().T, atol=1e-4)


@pytest.mark.parametrize(
    "value", [[0.0] * 5, "many", [0.0, "x"] * phonetic.LAYERS, [float("nan")] * phonetic.LAYERS]
)
def test_weights_that_do_not_fit_are_named(value: object) -> None:
    wrong = replace(spec(), parameters={**spec().parameters, phonetic.OWN: value})
    with pytest.raises(FeatureMismatchError, match="own_readout is not a list of 576 finite"):
        extractor_of(wrong)
    fewer = [0.0] * (2 * phonetic.LAYERS)
    with pytest.raises(FeatureMismatchError, match="of 23 values"):
        extractor_of(replace(spec(), parameters={**spec().parameters, phonetic.OWN: fewer}))


def test_the_avatar_file_keeps_them_and_info_counts_them(tmp_path: Path) -> None:
    avatar = small_avatar(tmp_path / "a.egs")
    assert avatar.network is not None
    arrays = dict(avatar.network.arrays)
    first = "audio_net.encoder_conv.0.weight"
    arrays[first] = np.ascontiguousarray(arrays[first][:, :2])
    mouth = MouthMap(8, (0.01,) * (2 * 8 * 25), (0.0, 0.0), (-1.0, -1.0), (1.0, 1.0))
    features = replace(spec(), mouth=mouth)
    avatar = replace(
        avatar, network=replace(avatar.network, arrays=arrays), features=features,
        frozen_gaussians=None,
    )  # fmt: skip
    save_avatar(avatar, tmp_path / "b.egs")
    found = load_avatar(tmp_path / "b.egs").features
    assert found == features
    sound = Waveform(noise(1))
    mine, theirs = (track_from_waveform(sound, each).windows for each in (features, found))
    assert np.array_equal(mine, theirs)
    told = summarise(tmp_path / "b.egs")["features"]
    assert told["own_values"] == OWN and phonetic.OWN not in told["parameters"]
