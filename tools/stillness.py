"""`python -m tools.stillness HEAD.egs [SOUND ...]`: how much sounds without speech move a mouth.

The lip gap is the first number of the avatar's mouth (docs/formats.md), so no picture is drawn. Its
movement (standard deviation) is compared with that in English speech of espeak-ng. The sounds are
not those of tools/fit_mouth; files may follow, which may be speech too."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.audio.files import load_waveform
from core.errors import EgsError

from .closings import TEXTS, gap_of, mouth_features, passage
from .fit_mouth.sounds import RATE, coloured
from .fit_phonetic.errors import FitError
from .fit_phonetic.speech import speak_all

SECONDS = 8
SETTLED = 5  # rows at both ends that see less than a whole window of the sound
CHORDS = ((262, 330, 392), (349, 440, 523), (392, 494, 587), (262, 330, 392))  # Hz: C F G C
TUNE = (220, 247, 277, 294, 330, 370, 415, 440)  # Hz


def sounds() -> dict[str, NDArray[np.float32]]:
    """Name -> (T,) samples."""
    random = np.random.default_rng(77)
    count = SECONDS * RATE
    time = np.arange(count) / RATE
    swell = (0.5 - 0.5 * np.cos(2 * np.pi * time / 2.5)) ** 2
    found = {
        "silence": np.zeros(count),
        "hum of 50 Hz": 0.02 * np.sin(2 * np.pi * 50 * time),
        "white noise at -40 dB": 0.01 * random.normal(size=count),
        "white noise at -60 dB": 0.001 * random.normal(size=count),
        "pink noise at -40 dB": 0.01 * coloured(random, count, 1),
        "brown noise at -30 dB": 0.03 * coloured(random, count, 2),
        "noise at -35 dB that swells every 2.5 s, like breath": 0.018
        * coloured(random, count, 1)
        * swell,
        "chords": 0.3 * _played(CHORDS, 2.0, 1.0, 5),
        "a tune": 0.2 * _played([(pitch,) for pitch in TUNE], 0.5, 4.0, 12),
    }
    return {name: samples.astype(np.float32) for name, samples in found.items()}


def _played(
    chords: Sequence[Sequence[float]], seconds: float, fading: float, harmonics: int
) -> NDArray[np.float64]:
    """The chords (Hz) in turn, each for some seconds and fading, in SECONDS; at most 1."""
    time = np.arange(int(seconds * RATE)) / RATE
    out = [
        sum(
            np.sin(2 * np.pi * pitch * k * time) / k * np.exp(-fading * time)
            for pitch in chords[number % len(chords)]
            for k in range(1, harmonics)
        )
        for number in range(int(SECONDS / seconds))
    ]
    samples = np.concatenate(out)
    return np.asarray(samples / np.abs(samples).max(), np.float64)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.stillness", description=__doc__)
    parser.add_argument("avatar", type=Path, help="an avatar with numbers of the mouth")
    parser.add_argument("sounds", type=Path, nargs="*", help="other sounds")
    args = parser.parse_args(argv)
    try:
        spec = mouth_features(args.avatar)
        (speech, _), *_ = speak_all([passage(0, "en-us", TEXTS["en-us"])])
        moved = float(gap_of(speech, spec).std())
        print("| sound | movement, share of that in speech |\n|---|---|")
        others = {path.name: load_waveform(path).samples for path in args.sounds}
        for name, samples in {**sounds(), **others}.items():
            gap = gap_of(samples, spec)[SETTLED:-SETTLED]
            print(f"| {name} | {float(gap.std()) / moved:.2f} |")
    except (EgsError, FitError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
