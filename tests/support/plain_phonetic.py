"""The phonetic network written plainly: the oracle of core/audio/conformer.py."""

from __future__ import annotations

import math

import numpy as np

from core.audio.phonetic_weights import PhoneticWeights
from core.records.arrays import Float32

BLOCKS = 4
HEADS = 4
WIDTH = 144
EPSILON = 1e-5  # of the normalisations

_erf = np.frompyfunc(math.erf, 1, 1)  # numpy has none


def hidden_layers(mel: Float32, weights: PhoneticWeights) -> Float32:
    """(T, 4, 144) the output of each block for (M, 80) bands; T = (M + 1) // 2."""
    x = _stem(mel, weights)
    layers = np.empty((len(x), BLOCKS, WIDTH), np.float32)
    for block in range(BLOCKS):
        x = _block(x, f"blocks.{block}.", weights)
        layers[:, block] = x
    return layers


def _stem(mel: Float32, weights: PhoneticWeights) -> Float32:
    """(T, 144): a convolution over three bands' steps, every second one, and GELU."""
    count = (len(mel) + 1) // 2
    padded = np.pad(mel, ((1, 2), (0, 0)))
    kernel = weights["stem.weight"]
    x = np.tile(weights["stem.bias"], (count, 1))
    for k in range(3):
        x += padded[k : k + 2 * count : 2][:count] @ kernel[:, :, k].T
    gelu: Float32 = 0.5 * x * (1 + _erf(x * math.sqrt(0.5)).astype(np.float32))
    return gelu


def _block(x: Float32, at: str, weights: PhoneticWeights) -> Float32:
    """(T, 144): one Conformer block; `at` is the beginning of its tensors' names."""
    x = x + 0.5 * _feed_forward(x, at + "ffn1.", weights)
    x = x + _attention(_norm(x, at + "attention.norm.", weights), at + "attention.", weights)
    x = x + _convolution(_norm(x, at + "conv.norm.", weights), at + "conv.", weights)
    x = x + 0.5 * _feed_forward(x, at + "ffn2.", weights)
    return _norm(x, at + "norm.", weights)


def _feed_forward(x: Float32, at: str, weights: PhoneticWeights) -> Float32:
    inner = _linear(_norm(x, at + "norm.", weights), at + "in.", weights)
    return _linear(inner * _sigmoid(inner), at + "out.", weights)


def _attention(x: Float32, at: str, weights: PhoneticWeights) -> Float32:
    """(T, 144): four heads of 36, every step against every other."""
    count, width = len(x), WIDTH // HEADS
    joined = _linear(x, at + "in.", weights).reshape(count, 3, HEADS, width)
    query, key, value = joined.transpose(1, 2, 0, 3)  # (heads, T, width) each
    scores = query @ key.transpose(0, 2, 1) * np.float32(width**-0.5)
    scores = np.exp(scores - scores.max(2, keepdims=True))
    scores /= scores.sum(2, keepdims=True)
    mixed = (scores @ value).transpose(1, 0, 2).reshape(count, WIDTH)
    return _linear(mixed, at + "out.", weights)


def _convolution(x: Float32, at: str, weights: PhoneticWeights) -> Float32:
    """(T, 144): a gate, a depthwise convolution over 31 steps, and a linear layer."""
    x = _linear(x, at + "in.", weights)
    x = x[:, :WIDTH] * _sigmoid(x[:, WIDTH:])
    kernel = weights[at + "depth.weight"]
    taps = kernel.shape[1]
    padded = np.pad(x, ((taps // 2, taps // 2), (0, 0)))
    y = np.tile(weights[at + "depth.bias"], (len(x), 1))
    for k in range(taps):
        y += padded[k : k + len(x)] * kernel[:, k]
    return _linear(y * _sigmoid(y), at + "out.", weights)


def _linear(x: Float32, at: str, weights: PhoneticWeights) -> Float32:
    result: Float32 = x @ weights[at + "weight"].T + weights[at + "bias"]
    return result


def _norm(x: Float32, at: str, weights: PhoneticWeights) -> Float32:
    centred = x - x.mean(1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(1, keepdims=True) + EPSILON)
    result: Float32 = centred / deviation * weights[at + "weight"] + weights[at + "bias"]
    return result


def _sigmoid(x: Float32) -> Float32:
    # exp of at most 80, so that float32 does not overflow; the sigmoid is 0 there.
    e: Float32 = np.exp(np.minimum(-x, np.float32(80)))
    return np.float32(1) / (np.float32(1) + e)
