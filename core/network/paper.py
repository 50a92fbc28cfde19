"""The method as the paper describes it (docs/method.md §1.3), where the official code differs (§2).

    X      = KAN(tri-plane features - 1)           once an avatar: the KAN in the encoder
    code   = attention over the eight window codes + PPE: the periodic encoding runs over time
    tokens = KANs of code, eye, pose, nothing      pose standardised, eye code slow
    h      = ESAA and feed-forward as in EGSTalker, but no encoding of the tokens' index
    offsets = KAN(tanh(KAN(h)))                    the KAN in the decoder

ESAA's agents are the first Gaussians; training puts those first that lie farthest apart. One
decoder moves 14 values a Gaussian: position, log-scale, quaternion, opacity and the first spherical
harmonic; the others, which tell how colour changes with the view, stay as they are.

Parts can be left out: without KANs the layers are linear (and ReLU replaces tanh), without ESAA
the attention is GaussianTalker's, without PPE its table is zero. Which are there, the names tell.
"""

from __future__ import annotations

import numpy as np

from ..records.weights import NetworkWeights
from .names import DECODER, ENCODER, EYE_FREQUENCIES, POSE_MEAN, POSE_SCALE, is_kan, layer_count
from .numpy import triplane
from .numpy.attention import attention
from .numpy.basics import Arrays, Float32, linear, relu
from .numpy.decoder import feed_forward
from .numpy.tokens import kan_rows, token_mlp, wave_code

# Attribute -> columns of the decoder's output.
COLUMNS = {
    "means": slice(0, 3),
    "scales": slice(3, 6),
    "quats": slice(6, 10),
    "opacities": slice(10, 11),
    "sh": slice(11, 14),
}
WIDTH = 14
GRID_CENTRE = np.float32(1)  # of the tri-plane's features as training begins


def dense(arrays: Arrays, name: str, x: Float32) -> Float32:
    """x (N, I) -> (N, O), by whichever layer is there."""
    return kan_rows(arrays, name, x) if is_kan(arrays, name) else linear(arrays, name, x)


def squash(arrays: Arrays, x: Float32) -> Float32:
    """Between the decoder's layers. The second KAN squares what it gets: tanh keeps a sound that
    training never heard from throwing Gaussians about."""
    return np.tanh(x) if is_kan(arrays, DECODER[0]) else relu(x)


def encoded(arrays: Arrays, means: Float32) -> Float32:
    """means (N, 3) -> X (N, 64)."""
    return dense(arrays, ENCODER, triplane.features(arrays, means) - GRID_CENTRE)


def standard_pose(arrays: Arrays, pose: Float32) -> Float32:
    """pose (12,) as camera.pose_vector makes it -> (12,) around 0, within a few times 1."""
    return (pose - arrays[POSE_MEAN]) * arrays[POSE_SCALE]


def tokens(arrays: Arrays, code: Float32, eye: float, pose: Float32) -> Float32:
    """code (32,), eye in [0, 1], pose (12,) -> (4, 64)."""
    return np.stack(
        [
            token_mlp(arrays, "audio_mlp", code),
            token_mlp(arrays, "eye_mlp", wave_code(eye, arrays[EYE_FREQUENCIES])),
            token_mlp(arrays, "cam_mlp", standard_pose(arrays, pose)),
            arrays["null_vector"].reshape(-1),
        ]
    )


def offsets(weights: NetworkWeights, hidden: Float32) -> dict[str, Float32]:
    """hidden (N, 64) -> attribute -> (N, width); "sh" has the first harmonic's three alone."""
    arrays = weights.arrays
    first, second = DECODER
    out = dense(arrays, second, squash(arrays, dense(arrays, first, hidden)))
    return {
        name: out[:, columns] for name, columns in COLUMNS.items() if name not in weights.frozen
    }


def hidden_of(weights: NetworkWeights, x: Float32, token: Float32) -> tuple[Float32, Float32]:
    """X (N, 64), tokens (4, 64) -> h (N, 64) and "attention" (N, 4), see attention.py."""
    shown = x
    for layer in range(layer_count(weights.arrays)):
        attended, shown = attention(weights, layer, x, token)
        x = feed_forward(weights.arrays, layer, x, attended)
    return x, shown
