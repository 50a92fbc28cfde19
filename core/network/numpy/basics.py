"""The few numpy operations that every part of the network consists of. float32 in and out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...records.arrays import Float32

Arrays = Mapping[str, Float32]

LAYER_NORM_EPS = np.float32(1e-12)  # inside the square root (docs/method.md §3.7)


def linear(arrays: Arrays, name: str, x: Float32) -> Float32:
    """x (..., inputs) @ weight (outputs, inputs).T + bias (outputs,)."""
    return x @ arrays[f"{name}.weight"].T + arrays[f"{name}.bias"]


def conv1d(arrays: Arrays, name: str, x: Float32, stride: int) -> Float32:
    """x (B, C, L), weight (O, C, 3), a zero of padding at both ends -> (B, O, ceil(L / stride))."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1)))
    taps = np.lib.stride_tricks.sliding_window_view(padded, 3, axis=2)[:, :, ::stride]
    out = np.tensordot(taps, arrays[f"{name}.weight"], axes=((1, 3), (1, 2)))  # (B, L', O)
    return (out + arrays[f"{name}.bias"]).transpose(0, 2, 1)


def relu(x: Float32) -> Float32:
    return np.maximum(x, np.float32(0))


def leaky_relu(x: Float32) -> Float32:
    """Slope 0.02 below zero."""
    return np.where(x > 0, x, np.float32(0.02) * x)


def silu(x: Float32) -> Float32:
    # exp of a clipped value: beyond 80 the result does not change and float32 would overflow.
    e: Float32 = np.exp(np.minimum(-x, np.float32(80)))
    return x / (np.float32(1) + e)


def softmax(x: Float32) -> Float32:
    """Along the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def layer_norm(arrays: Arrays, name: str, x: Float32) -> Float32:
    """Along the last axis, biased variance."""
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.square(centred).mean(axis=-1, keepdims=True)
    normed = centred / np.sqrt(variance + LAYER_NORM_EPS)
    return normed * arrays[f"{name}.gamma"] + arrays[f"{name}.beta"]
