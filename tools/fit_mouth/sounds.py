"""Sounds in which nobody speaks: rooms, breath and music, made from random numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 16000  # Hz
HIGHEST = 7500.0  # Hz, of a harmonic
HARMONICS = 40
Float64 = NDArray[np.float64]
Random = np.random.Generator


def sound(seed: int, seconds: float) -> NDArray[np.float32]:
    """(T,) samples: a room, breath or music, by turns, at some level."""
    random = np.random.default_rng(seed)
    count = int(seconds * RATE)
    samples = KINDS[seed % len(KINDS)](random, count)
    samples = samples / np.abs(samples).max() * 10 ** (random.uniform(-50, -2) / 20)
    if random.random() < 0.3:
        samples = samples + 10 ** (random.uniform(-80, -45) / 20) * random.normal(size=count)
    return samples.astype(np.float32)


def room(random: Random, count: int) -> Float64:
    """Noise, often with hum, and knocks."""
    samples = coloured(random, count, random.uniform(0, 2))
    if random.random() < 0.5:
        base, time = random.choice([50, 60, 100, 120]), np.arange(count) / RATE
        for k in range(1, 8):
            samples += random.uniform(0, 2 / k) * np.sin(2 * np.pi * base * k * time)
    for _ in range(random.integers(0, 6)):
        length = min(int(random.integers(40, 4000)), count)
        at = int(random.integers(0, count - length + 1))
        fading = np.exp(-6 * np.arange(length) / length)
        samples[at : at + length] += random.uniform(1, 12) * resonant(random, length) * fading
    return samples


def breath(random: Random, count: int) -> Float64:
    noise = 10 ** random.uniform(-3, -1.5) * coloured(random, count, 1)
    return resonant(random, count) * swelling(random, count) + noise


def music(random: Random, count: int) -> Float64:
    """Chords or a tune of one instrument, sometimes with drums."""
    samples = np.zeros(count)
    voices, timbre = int(random.integers(1, 5)), int(random.integers(0, 4))
    beat, base = random.uniform(0.12, 1.2), random.uniform(60, 500)
    fading = random.choice([0, random.uniform(0.5, 8)])
    drums = random.random() < 0.4
    scale = np.array([0, 2, 3, 4, 5, 7, 9, 10, 11, 12, 14, 16, 17, 19])
    at = 0
    while at < count:
        length = max(int(beat * random.choice([0.5, 1, 1, 2, 3]) * RATE), 1200)
        for step in random.choice(scale, voices, replace=False):
            pitch = min(base * 2 ** (step / 12), 3000.0)
            _add(samples, at, note(random, int(1.2 * length), pitch, timbre, fading))
        if drums:
            _add(samples, at, drum(random))
        at += length
    return samples


KINDS: tuple[Callable[[Random, int], Float64], ...] = (room, breath, music)


def coloured(random: Random, count: int, power: float) -> Float64:
    """Noise whose power falls with frequency^power; deviation 1."""
    frequencies = np.arange(count // 2 + 1) + 1.0
    spectrum = np.fft.rfft(random.normal(size=count)) / frequencies ** (power / 2)
    return _unit(np.fft.irfft(spectrum, count))


def resonant(random: Random, count: int) -> Float64:
    """Noise through one to four resonances, like air in a throat; deviation 1."""
    frequencies = np.fft.rfftfreq(count, 1 / RATE) + 1
    gain = np.full(len(frequencies), 0.05)
    for _ in range(random.integers(1, 5)):
        centre, width = random.uniform(250, 5500), random.uniform(100, 1500)
        gain += random.uniform(0.2, 1) / (1 + ((frequencies - centre) / width) ** 2)
    gain *= frequencies ** -random.uniform(0, 1)
    return _unit(np.fft.irfft(np.fft.rfft(random.normal(size=count)) * gain, count))


def swelling(random: Random, count: int) -> Float64:
    """Breaths of 0.15 to 1.8 s with pauses between them."""
    out, at = np.zeros(count), int(random.uniform(0, 1) * RATE)
    while at < count:
        time = np.linspace(0, 1, int(random.uniform(0.15, 1.8) * RATE), endpoint=False)
        top = random.uniform(0.2, 0.8)
        shape = np.where(time < top, time / top, (1 - time) / (1 - top))
        _add(out, at, random.uniform(0.3, 1) * shape ** random.uniform(0.6, 2))
        at += len(time) + int(random.uniform(0, 1.5) * RATE)
    return out


def note(random: Random, count: int, pitch: float, timbre: int, fading: float) -> Float64:
    """pitch: Hz. timbre: string, reed, a body with a resonance, or pure. fading: nepers a second.
    The loudest sample is 1."""
    harmonics = np.arange(1, min(HARMONICS, int(HIGHEST / pitch)) + 1)
    weights = {
        0: harmonics ** -random.uniform(0.6, 2.5),
        1: (harmonics % 2) * harmonics ** -random.uniform(0.8, 2),
        2: 0.1 / harmonics
        + np.exp(
            -(((harmonics * pitch - random.uniform(300, 2500)) / random.uniform(200, 900)) ** 2)
        ),
        3: harmonics == 1,
    }[timbre]
    time = np.arange(count) / RATE
    vibrato = random.choice([0, 0, random.uniform(0.002, 0.012)])
    swing = 1 + vibrato * np.sin(2 * np.pi * random.uniform(4, 7) * time)
    phase = 2 * np.pi * pitch * np.cumsum(swing) / RATE
    out = np.zeros(count)
    for harmonic, weight in zip(harmonics, weights, strict=True):
        fade = np.exp(-fading * time * (1 + 0.1 * harmonic))
        out += weight * np.sin(harmonic * phase + random.uniform(0, 2 * np.pi)) * fade
    attack = int(random.uniform(0.003, 0.15) * RATE)
    edges = np.minimum(np.arange(count) / attack, (count - np.arange(count)) / 800)
    out *= np.minimum(edges, 1)
    return np.asarray(out / np.abs(out).max(), np.float64)


def drum(random: Random) -> Float64:
    time = np.arange(int(0.15 * RATE)) / RATE
    if random.random() < 0.5:
        fade = np.exp(-time * random.uniform(20, 80))
        return random.uniform(0.2, 1) * random.normal(size=len(time)) * fade
    falling = 2 * np.pi * (50 + 80 * np.exp(-30 * time)) * time
    return np.asarray(1.5 * np.sin(falling) * np.exp(-15 * time), np.float64)


def _add(samples: Float64, at: int, part: Float64) -> None:
    """In place, as far as it fits."""
    length = min(len(part), len(samples) - at)
    samples[at : at + length] += part[:length]


def _unit(samples: NDArray[Any]) -> Float64:
    return np.asarray(samples / samples.std(), np.float64)
