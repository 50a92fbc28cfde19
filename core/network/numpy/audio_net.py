"""From eight sound windows to one audio code (docs/method.md §3.4)."""

from __future__ import annotations

import numpy as np

from ...errors import FeatureMismatchError
from ...records.arrays import Float32
from ..names import PPE
from .basics import Arrays, conv1d, leaky_relu, linear, softmax

WINDOWS = 8
MAX_STEPS = 16  # four strides of two reduce them to one step
CODE = 32


def feature_dim(arrays: Arrays) -> int:
    """D: features a step of the sound that these weights were trained on."""
    return int(arrays["audio_net.encoder_conv.0.weight"].shape[1])


def check_windows(dim: int, windows: Float32) -> None:
    """Raises FeatureMismatchError unless windows is (8, dim, W) with W in 1..16."""
    if windows.ndim != 3 or windows.shape[0] != WINDOWS or not 1 <= windows.shape[2] <= MAX_STEPS:
        raise FeatureMismatchError(
            f"sound windows of shape {windows.shape} do not fit the network, which takes "
            f"({WINDOWS}, {dim}, {MAX_STEPS})"
        )
    if windows.shape[1] != dim:
        raise FeatureMismatchError(
            f"the sound has {windows.shape[1]} features a step, this avatar was trained on {dim}; "
            "use the features named in the avatar's header"
        )


def window_codes(arrays: Arrays, windows: Float32) -> Float32:
    """AudioNet: windows (8, D, W) -> (8, 32), each window on its own."""
    x = windows
    for i in (0, 2, 4, 6):
        x = leaky_relu(conv1d(arrays, f"audio_net.encoder_conv.{i}", x, stride=2))
    x = leaky_relu(linear(arrays, "audio_net.encoder_fc1.0", x[:, :, 0]))
    return linear(arrays, "audio_net.encoder_fc1.2", x)


def mix_windows(arrays: Arrays, codes: Float32) -> Float32:
    """AudioAttNet: codes (8, 32) -> (32,), their weighted sum; a "paper" network adds a periodic
    encoding of time first."""
    if PPE in arrays:
        codes = codes + arrays[PPE]
    y = codes.T[None]
    for i in (0, 2, 4, 6, 8):
        y = leaky_relu(conv1d(arrays, f"audio_att_net.attentionConvNet.{i}", y, stride=1))
    weights = softmax(linear(arrays, "audio_att_net.attentionNet.0", y.reshape(WINDOWS)))
    return weights @ codes


def encode(arrays: Arrays, windows: Float32) -> Float32:
    """windows (8, D, W) -> audio code (32,). One frame at a time, so that a single frame
    equals the same frame of a sequence bit for bit. Raises FeatureMismatchError."""
    check_windows(feature_dim(arrays), windows)
    return mix_windows(arrays, window_codes(arrays, np.asarray(windows, np.float32)))
