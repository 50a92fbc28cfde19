"""The four tokens of a frame: sound, eyes, head pose, nothing (docs/method.md §3.5 to §3.7)."""

from __future__ import annotations

import numpy as np

from ...records.arrays import Float32
from ..names import EYE_FREQUENCIES, POSE_LIMIT, POSE_MEAN, POSE_SCALE, is_kan
from .basics import Arrays, relu
from .kan import kan_layer

# 10000^(k / 16), rounded to float32: the fast ones oscillate a thousand times over the eye's range,
# so the rounding matters (§3.5).
OFFICIAL_FREQUENCIES = (10000.0 ** (np.arange(16) / 16)).astype(np.float32)
POSITION_PERIOD = 25


def eye_code(eye: float, frequencies: Float32 = OFFICIAL_FREQUENCIES) -> Float32:
    """eye closure in [0, 1], frequencies (F,) -> (2 F,): sines in the even places, cosines in the
    odd ones. The phase is float64 (float32 would be off by 1e-5)."""
    phase = np.float64(eye) * frequencies.astype(np.float64)
    return np.stack([np.sin(phase), np.cos(phase)], axis=1).ravel().astype(np.float32)


def eye_frequencies(arrays: Arrays) -> Float32:
    """(16,) the network's own, or the official ones."""
    return arrays.get(EYE_FREQUENCIES, OFFICIAL_FREQUENCIES)


def standard_pose(arrays: Arrays, pose: Float32) -> Float32:
    """pose (12,) from camera.pose_vector -> (12,): standardised, and kept within POSE_LIMIT, if the
    network has the training's mean and scale; unchanged otherwise."""
    if POSE_MEAN not in arrays:
        return pose
    standard = (pose - arrays[POSE_MEAN]) * arrays[POSE_SCALE]
    return np.clip(standard, -POSE_LIMIT, POSE_LIMIT)


def positions(count: int, dim: int) -> Float32:
    """Rows 0 .. count-1 of EGSTalker's table (count, dim): a sinusoid over the token's index."""
    row = (np.arange(count) % POSITION_PERIOD)[:, None]
    phase = row * np.exp(np.arange(0, dim, 2) * (-np.log(10000.0) / dim))
    return np.stack([np.sin(phase), np.cos(phase)], axis=2).reshape(count, dim).astype(np.float32)


def token_mlp(arrays: Arrays, name: str, x: Float32) -> Float32:
    """Two layers with a ReLU between: TaylorKAN, or linear without bias."""
    first, second = f"{name}.net.0", f"{name}.net.1"
    if is_kan(arrays, first):
        return kan_layer(arrays, second, relu(kan_layer(arrays, first, x)))
    return arrays[f"{second}.weight"] @ relu(arrays[f"{first}.weight"] @ x)


def tokens(arrays: Arrays, code: Float32, eye: float, pose: Float32) -> Float32:
    """code (32,), eye in [0, 1], pose (12,) -> (4, 64), before positions are added."""
    return np.stack(
        [
            token_mlp(arrays, "audio_mlp", code),
            token_mlp(arrays, "eye_mlp", eye_code(eye, eye_frequencies(arrays))),
            token_mlp(arrays, "cam_mlp", standard_pose(arrays, pose)),
            arrays["null_vector"].reshape(-1),
        ]
    )
