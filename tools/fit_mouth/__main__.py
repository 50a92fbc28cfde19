"""`python -m tools.fit_mouth OUT`: makes core/training/assets/mouth_shuts.safetensors again.

Two detectors, which a training copies into the avatar: whether somebody speaks, and whether the
lips close for m, b or p. Both are logistic regressions from the phonetic network's blocks, fitted
to speech of espeak-ng and to sounds made here (two minutes of one core, 0.6 GB). Needs the
environment of `make setup`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.audio import phonetic_network
from core.audio.phonetic_weights import SHA256, load_weights
from core.errors import OutputError
from core.formats.safetensors import write_tensors

from ..fit_phonetic import speech
from ..fit_phonetic.errors import FitError
from . import fit, sounds
from .passages import passages

SOUNDS, SECONDS = 120, 8.0  # without speech
MUSIC_UNDER = 5  # one passage in five is over music,
MUSIC_BELOW = (8.0, 25.0)  # dB below the voice
VOICE_WIDTH, CLOSING_WIDTH = 16, 4  # steps that a row of an avatar averages
VOICE_PENALTY, CLOSING_PENALTY = 100.0, 300.0
EVERY = 3  # one step in so many is used, and all that close the lips


@dataclass(frozen=True, eq=False)
class Heard:
    """A sound: the network's blocks (T, 576), whether somebody speaks at each step (T,), and
    whether lips close there (T,)."""

    blocks: NDArray[np.float16]
    spoken: NDArray[np.bool_]
    closing: NDArray[np.bool_]


def blocks_of(samples: NDArray[np.float32]) -> NDArray[np.float16]:
    """(T, 576) the network's blocks."""
    weights = load_weights()
    layers = phonetic_network.hidden_layers(phonetic_network.bands(samples, weights), weights)
    return layers.reshape(len(layers), -1).astype(np.float16)


def heard() -> list[Heard]:
    """Blocks of each sound, and at each step whether somebody speaks and whether lips close."""
    random = np.random.default_rng(1)
    found: list[Heard] = []
    for number, (samples, phonemes) in enumerate(speech.speak_all(passages())):
        seconds = len(samples) / speech.RATE
        if number % MUSIC_UNDER == MUSIC_UNDER - 1:
            kinds = len(sounds.KINDS)
            under = sounds.sound(kinds * number + kinds - 1, seconds)[: len(samples)]
            below = 10 ** (-random.uniform(*MUSIC_BELOW) / 20)
            samples = samples + under * np.float32(below * samples.std() / under.std())
        blocks = blocks_of(samples)
        steps = len(blocks)
        spoken = fit.spoken(phonemes, seconds, steps)
        found.append(Heard(blocks, spoken, fit.closing(phonemes, seconds, steps)))
    print(f"    {sum(len(one.blocks) for one in found) / 3000:.1f} minutes of speech", flush=True)
    for seed in range(SOUNDS):
        blocks = blocks_of(sounds.sound(seed, SECONDS))
        never = np.zeros(len(blocks), bool)
        found.append(Heard(blocks, never, never))
    return found


def detectors() -> dict[str, NDArray[Any]]:
    everything = heard()
    blocks = [one.blocks for one in everything]
    voice = fitted(blocks, [one.spoken for one in everything], VOICE_WIDTH, VOICE_PENALTY, False)
    lips = fitted(blocks, [one.closing for one in everything], CLOSING_WIDTH, CLOSING_PENALTY, True)
    return {
        "weights": np.stack([voice[0], lips[0]]).astype(np.float32),
        "biases": np.array([voice[1], lips[1]], np.float32),
    }


def fitted(
    blocks: Sequence[NDArray[np.float16]],
    labels: Sequence[NDArray[np.bool_]],
    width: int,
    penalty: float,
    rare: bool,
) -> tuple[NDArray[np.float64], float]:
    """Weights (576,) and bias of one detector. rare: all steps with the label are used."""
    inputs, wanted, counts = [], [], []
    for steps, label in zip(blocks, labels, strict=True):
        used = np.arange(len(label)) % EVERY == 0
        if rare:
            used |= label
        inputs.append(fit.averaged(steps.astype(np.float32), width)[used])
        wanted.append(label[used])
        counts.append(np.where(label[used] & rare, 1.0, float(EVERY)))
    rows, flags = np.concatenate(inputs), np.concatenate(wanted)
    weight, bias = fit.logistic(rows, flags, np.concatenate(counts), penalty)
    right = ((rows @ weight + bias > 0) == flags).mean()
    print(f"    {len(rows)} steps, {flags.mean():.0%} of them yes, {right:.1%} right", flush=True)
    return weight, bias


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.fit_mouth",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("out", type=Path, help="the .safetensors file to write")
    args = parser.parse_args(argv)
    try:
        import scipy.signal  # noqa: F401  # speech needs it
    except ImportError:
        print("error: scipy is missing; use the Python of `make setup`", file=sys.stderr)
        return 2
    metadata = {
        "origin": "tools/fit_mouth, espeak-ng and sounds made by the program",
        "licence": "GPL-3.0-or-later",
        "network": SHA256,
    }
    try:
        digest = write_tensors(args.out, detectors(), metadata)
    except (FitError, OutputError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{args.out}: SHA-256 {digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
