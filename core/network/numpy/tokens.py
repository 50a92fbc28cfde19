"""The four tokens of a frame: sound, eyes, head pose, nothing (docs/method.md §3.5 to §3.7)."""

from __future__ import annotations

import numpy as np

from .basics import Arrays, Float32, relu, silu

# 10000^(k / 16), rounded to float32: the fast ones turn a thousand times over the eye's range, so
# the rounding matters (§3.5).
EYE_FREQUENCIES = (10000.0 ** (np.arange(16) / 16)).astype(np.float32)
POSITION_PERIOD = 25


def eye_code(eye: float) -> Float32:
    """eye closure in [0, 1] -> (32,): sines in the even slots, cosines in the odd ones. The phase
    is float64 (float32 would be off by 1e-5)."""
    return wave_code(eye, EYE_FREQUENCIES)


def wave_code(value: float, frequencies: Float32) -> Float32:
    """(F,) frequencies -> (2 F,): sines and cosines by turns; phases in float64."""
    phase = np.float64(value) * frequencies.astype(np.float64)
    return np.stack([np.sin(phase), np.cos(phase)], axis=1).ravel().astype(np.float32)


def positions(count: int, dim: int) -> Float32:
    """Rows 0 .. count-1 of EGSTalker's table (count, dim): a sinusoid over the token's index."""
    row = (np.arange(count) % POSITION_PERIOD)[:, None]
    phase = row * np.exp(np.arange(0, dim, 2) * (-np.log(10000.0) / dim))
    return np.stack([np.sin(phase), np.cos(phase)], axis=2).reshape(count, dim).astype(np.float32)


def kan_layer(arrays: Arrays, name: str, x: Float32) -> Float32:
    """TaylorKAN: x (I,) -> (O,) = W silu(x) + sum over i of (C0 + C1 x_i + C2 x_i^2) + bias."""
    coefficients = arrays[f"{name}.taylor_coeffs"]  # (O, I, 3)
    powers = np.stack([np.ones_like(x), x, x * x], axis=1)  # (I, 3)
    taylor = np.tensordot(coefficients, powers, axes=2)
    return arrays[f"{name}.base_weight"] @ silu(x) + taylor + arrays[f"{name}.bias"]


def kan_rows(arrays: Arrays, name: str, x: Float32) -> Float32:
    """`kan_layer` for rows: x (N, I) -> (N, O)."""
    taylor = arrays[f"{name}.taylor_coeffs"]
    constant = taylor[:, :, 0].sum(axis=1) + arrays[f"{name}.bias"]
    out = silu(x) @ arrays[f"{name}.base_weight"].T + constant
    return out + x @ taylor[:, :, 1].T + (x * x) @ taylor[:, :, 2].T


def token_mlp(arrays: Arrays, name: str, x: Float32) -> Float32:
    """Two layers with a ReLU between: TaylorKAN (EGSTalker) or linear without bias."""
    first, second = f"{name}.net.0", f"{name}.net.1"
    if f"{first}.taylor_coeffs" in arrays:
        return kan_layer(arrays, second, relu(kan_layer(arrays, first, x)))
    return arrays[f"{second}.weight"] @ relu(arrays[f"{first}.weight"] @ x)


def tokens(arrays: Arrays, code: Float32, eye: float, pose: Float32) -> Float32:
    """code (32,), eye in [0, 1], pose (12,) -> (4, 64), before positions are added."""
    return np.stack(
        [
            token_mlp(arrays, "audio_mlp", code),
            token_mlp(arrays, "eye_mlp", eye_code(eye)),
            token_mlp(arrays, "cam_mlp", pose),
            arrays["null_vector"].reshape(-1),
        ]
    )
