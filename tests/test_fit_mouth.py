"""Making the detectors of a voice and of closing lips: labels, sounds, the fit."""

from __future__ import annotations

import numpy as np
import pytest

from tools.fit_mouth import fit, sounds
from tools.fit_mouth.passages import SLOWEST, passages, sentences
from tools.fit_phonetic.classes import Phoneme
from tools.stillness import sounds as measured


def spread(phonemes: tuple[Phoneme, ...], kind: object) -> str:
    assert callable(kind)
    return "".join(".x"[int(flag)] for flag in kind(phonemes, 2.0, 100))


def test_a_pause_between_words_is_speech_and_a_long_one_is_not() -> None:
    said = (Phoneme(0.0, "_:"), Phoneme(1.01, "a"), Phoneme(1.21, "_:"))
    assert spread(said, fit.spoken) == "." * 31 + "x" * 50 + "." * 19


def test_lips_close_at_m_b_and_p_of_any_spelling() -> None:
    said = (Phoneme(0.4, "p:"), Phoneme(0.44, "a"), Phoneme(1.0, "bh"), Phoneme(1.1, "_"))
    said += (Phoneme(1.5, "m"),)  # lasts for half a second: no closing lips' length
    assert spread(said, fit.closing) == "." * 19 + "x" * 5 + "." * 25 + "x" * 8 + "." * 43


def test_means_are_those_of_the_steps_around() -> None:
    steps = np.arange(10, dtype=np.float32)[:, None]
    found = fit.averaged(steps, 4)[:, 0]
    assert found.tolist() == [0.25, 0.75, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.25]


def test_the_fit_finds_a_known_detector() -> None:
    random = np.random.default_rng(0)
    inputs = (3 * random.normal(size=(4000, 5)) + 2).astype(np.float32)
    weights, bias = random.normal(size=5), -1.0
    chance = 1 / (1 + np.exp(-(inputs @ weights + bias)))
    wanted = random.random(4000) < chance
    found, constant = fit.logistic(inputs, wanted, np.ones(4000), penalty=0.01)
    np.testing.assert_allclose(found, weights, atol=0.25)
    assert constant == pytest.approx(bias, abs=0.4)
    weaker, _ = fit.logistic(inputs, wanted, np.ones(4000), penalty=1000.0)
    assert np.linalg.norm(weaker) < 0.7 * np.linalg.norm(found)


@pytest.mark.parametrize("seed", range(9))
def test_sounds_are_the_same_each_time(seed: int) -> None:
    first, second = (sounds.sound(seed, 2.0) for _ in range(2))
    assert np.array_equal(first, second) and first.shape == (32000,)
    assert np.isfinite(first).all() and 1e-4 < np.abs(first).max() <= 1


def test_the_measured_sounds_are_whole_and_not_clipped() -> None:
    for name, samples in measured().items():
        assert len(samples) == 8 * sounds.RATE and np.abs(samples).max() <= 1, name


def test_every_language_is_said_by_three_voices() -> None:
    said = passages()
    for language, words in sentences().items():
        voices = {p.voice for p in said if p.words == words and p.rate > SLOWEST}
        assert len(voices) == 3 and all(voice.startswith(language) for voice in voices)
