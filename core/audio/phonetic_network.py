"""The phonetic network in numpy: from the sound of one voice to a hidden layer that encodes
phonemes.

Log-mel of 80 bands, a convolution to 50 steps a second, four Conformer blocks (conformer.py), 191
phoneme scores. The attention has no positions and sees the whole window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from ..records.arrays import Float32
from ..system.gemm import Gemm, numpy_has_calm_blas
from .conformer import WIDTH, Block, Linear, apply, block_of
from .phonetic_weights import PhoneticWeights

RATE = 16000  # Hz
HOP = 160  # samples from one spectrum to the next; two make a step
N_FFT = 400
STEP = 2 * HOP  # samples
POWER_FLOOR = 1e-10
BLOCKS = 4
ERF = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)


def bands(samples: Float32, weights: PhoneticWeights) -> Float32:
    """(1 + T // 160, 80) log power of (T,) samples, mirrored at both ends; step k is centred on
    sample 160 k. A sound too short to be mirrored is first padded with silence."""
    short = max(0, N_FFT // 2 + 1 - len(samples))
    padded = np.pad(np.pad(samples, (0, short)), N_FFT // 2, mode="reflect")
    count = 1 + len(samples) // HOP
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP][:count]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi / N_FFT * np.arange(N_FFT))
    spectrum = np.fft.rfft(frames * hann)
    power = spectrum.real**2 + spectrum.imag**2
    mel = Gemm(numpy_has_calm_blas()).multiply(power.astype(np.float32), weights["mel"])
    return np.log(np.maximum(mel, np.float32(POWER_FLOOR)))


def hidden_layers(mel: Float32, weights: PhoneticWeights, blas: bool | None = None) -> Float32:
    """(T, 4, 144) the output of each block for (M, 80) bands; T = (M + 1) // 2. blas: whether
    products use numpy's BLAS; None: if it has a calm one."""
    layers_of = _prepared(weights)
    gemm = Gemm(numpy_has_calm_blas() if blas is None else blas)
    x = _stem(mel, layers_of, gemm)
    layers = np.empty((len(x), BLOCKS, WIDTH), np.float32)
    for number, block in enumerate(layers_of.blocks):
        x = layers[:, number] = apply(block, x, gemm)
    return layers


@dataclass(frozen=True, eq=False)
class _Prepared:
    stem: Linear  # of three bands' steps side by side
    blocks: tuple[Block, ...]


@lru_cache(maxsize=1)
def _prepared(weights: PhoneticWeights) -> _Prepared:
    kernel = weights["stem.weight"].transpose(2, 1, 0).reshape(-1, WIDTH)
    return _Prepared(
        Linear(np.ascontiguousarray(kernel), weights["stem.bias"]),
        tuple(block_of(partial(_tensor, weights, f"blocks.{k}.")) for k in range(BLOCKS)),
    )


def _tensor(weights: PhoneticWeights, at: str, name: str) -> Float32:
    return weights[at + name]


def _stem(mel: Float32, prepared: _Prepared, gemm: Gemm) -> Float32:
    """(T, 144): a convolution over three bands' steps, every second one, and GELU."""
    count = (len(mel) + 1) // 2
    padded = np.pad(mel, ((1, 2), (0, 0)))
    near = [padded[k : k + 2 * count : 2][:count] for k in range(3)]
    x = prepared.stem(gemm, np.concatenate(near, 1))
    gelu: Float32 = 0.5 * x * (1 + erf(x * np.float32(math.sqrt(0.5))))
    return gelu


def erf(x: Float32) -> Float32:
    """The error function within 5e-7: Abramowitz and Stegun, Handbook of Mathematical Functions,
    7.1.26 (1.5e-7 before rounding)."""
    size = np.abs(x)
    t = 1 / (1 + np.float32(0.3275911) * size)
    polynomial = np.full_like(t, ERF[0])
    for coefficient in ERF[1:]:
        polynomial = polynomial * t + np.float32(coefficient)
    result: Float32 = np.copysign(1 - polynomial * t * np.exp(-size * size), x)
    return result
