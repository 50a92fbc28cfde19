"""What is said to fit the detectors: a third of the readout's script, which is English, sentences
of other languages, and slow, flat speech, which is near to singing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..fit_phonetic.speech import Passage, read_script

SENTENCES = Path(__file__).with_name("sentences.tsv")
EACH = 3  # one in three of the script, and three voices for each sentence
VARIANTS = ("", "+f2", "+m3", "+f5", "+m7", "+klatt2", "+whisper", "+f4")
FLAT = ("en-us+f2", "en-us+m3", "it+f4", "fr+m1", "de+f5", "es+m4")
SLOWEST = 80  # words a minute
SEED = 1  # of the stream: one process says everything


def sentences() -> dict[str, str]:
    """Language of espeak-ng -> words."""
    lines = SENTENCES.read_text(encoding="utf-8").splitlines()
    pairs = (line.split("\t") for line in lines if not line.startswith("#"))
    return {language: words for language, words in pairs}


def passages() -> list[Passage]:
    random = np.random.default_rng(5)
    found = [replace(passage, seed=SEED) for passage in read_script()[::EACH]]
    said = sentences()
    for number, (language, words) in enumerate(said.items()):
        for k in range(EACH):
            voice = language + VARIANTS[(EACH * number + k) % len(VARIANTS)]
            colour, distance = random.uniform(0, 0.9), random.uniform(15, 40)
            noisy = random.random() < 0.4
            found.append(
                Passage(
                    SEED,
                    voice,
                    rate=int(random.integers(85, 215)),
                    pitch=int(random.integers(20, 75)),
                    pitch_range=int(random.integers(10, 80)),
                    echo=random.uniform(-0.4, 0.4),
                    level=random.uniform(-30, 0),
                    colour=colour if noisy else None,
                    distance=distance if noisy else None,
                    words=words,
                )
            )
    for voice in FLAT:
        pitch, level = int(random.integers(20, 90)), random.uniform(-20, 0)
        words = said[voice.split("+")[0]]
        found.append(Passage(SEED, voice, SLOWEST, pitch, 0, 0.0, level, None, None, words))
    return found
