"""Weights rearranged once per avatar, by exact algebra, so that a frame takes fewer passes.

Centring (the first step of a layer norm) is linear: it moves into the matrices before it. The first
norm's gamma and beta move into the matrices after it. TaylorKAN's power 0 is a bias.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...records.weights import NetworkWeights
from ..names import DECODER, EYE_FREQUENCIES, HEADS, POSE_MEAN, is_kan, layer_prefix
from ..paper import COLUMNS, standard_pose
from .basics import Arrays, Float32, relu, silu
from .gemm import Gemm
from .tokens import eye_code, wave_code

Float64 = NDArray[np.float64]


def centre(x: Float32 | Float64) -> Float32:
    """x minus its mean along the last axis."""
    wide = x.astype(np.float64)
    return (wide - wide.mean(axis=-1, keepdims=True)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class FeedForward:
    """One layer after the attention, for z = the normed input before gamma and beta:
    hidden = relu(z @ inner + inner_bias) (N, F); [z | hidden] @ outer + outer_bias is centred;
    normed again, times gamma plus beta: the layer's output."""

    inner: Float32  # (64, F)
    inner_bias: Float32  # (F,)
    outer: Float32  # (64 + F, 64)
    outer_bias: Float32  # (64,)
    gamma: Float32  # (64,)
    beta: Float32  # (64,)


def fold_feed_forward(arrays: Arrays, layer: int) -> FeedForward:
    prefix = layer_prefix(layer)

    def wide(name: str) -> Float64:
        return arrays[f"{prefix}{name}"].astype(np.float64)

    gamma, beta = wide("norm1.gamma"), wide("norm1.beta")
    w1, b1 = wide("ffn.linear1.weight"), wide("ffn.linear1.bias")
    w2, b2 = wide("ffn.linear2.weight"), wide("ffn.linear2.bias")
    return FeedForward(
        inner=_narrow(gamma[:, None] * w1.T),
        inner_bias=_narrow(w1 @ beta + b1),
        outer=centre(np.concatenate([np.diag(gamma), w2.T])),
        outer_bias=centre(beta + b2),
        gamma=arrays[f"{prefix}norm2.gamma"],
        beta=arrays[f"{prefix}norm2.beta"],
    )


@dataclass(frozen=True, eq=False)
class Head:
    """One head: relu(h) @ inner + inner_bias, relu, @ outer + outer_bias."""

    attribute: str
    inner: Float32  # (64, H)
    inner_bias: Float32
    outer: Float32  # (H, width)
    outer_bias: Float32


def fold_heads(weights: NetworkWeights) -> list[Head]:
    """The heads whose attribute is not frozen."""
    arrays = weights.arrays
    return [
        Head(
            attribute,
            np.ascontiguousarray(arrays[f"{head}.1.weight"].T),
            arrays[f"{head}.1.bias"],
            _for_product(arrays[f"{head}.3.weight"]),
            arrays[f"{head}.3.bias"],
        )
        for head, (attribute, _) in HEADS.items()
        if attribute not in weights.frozen
    ]


def fold_kan(arrays: Arrays, name: str) -> tuple[Float32, Float32]:
    """TaylorKAN as [base | C1 | C2] (O, 3 I) on [silu(x) | x | x^2], plus a bias (O,) that holds
    its power 0."""
    taylor = arrays[f"{name}.taylor_coeffs"].astype(np.float64)
    bias = taylor[:, :, 0].sum(axis=1) + arrays[f"{name}.bias"]
    base = arrays[f"{name}.base_weight"].astype(np.float64)
    matrix = np.concatenate([base, taylor[:, :, 1], taylor[:, :, 2]], axis=1)
    return _narrow(matrix), _narrow(bias)


def spread(x: Float32) -> Float32:
    """x (n, I) -> [silu(x) | x | x^2] (n, 3 I), what a folded KAN multiplies."""
    width = x.shape[1]
    out = np.empty((len(x), 3 * width), np.float32)
    soft, plain, square = out[:, :width], out[:, width : 2 * width], out[:, 2 * width :]
    # exp of at most 80, so that float32 does not overflow; silu is 0 there.
    np.negative(x, out=square)
    np.minimum(square, np.float32(80), out=square)
    np.exp(square, out=square)
    square += np.float32(1)
    np.divide(x, square, out=soft)
    plain[:] = x
    np.multiply(x, x, out=square)
    return out


class PaperDecoder:
    """The one decoder of a "paper" network: h (n, 64) -> (n, 14), see paper.py."""

    def __init__(self, weights: NetworkWeights) -> None:
        arrays = weights.arrays
        self.kan = is_kan(arrays, DECODER[0])
        self.columns = {k: v for k, v in COLUMNS.items() if k not in weights.frozen}
        self.layers = [  # matrix (out, in), bias
            fold_kan(arrays, name)
            if self.kan
            else (arrays[f"{name}.weight"], arrays[f"{name}.bias"])
            for name in DECODER
        ]

    def __call__(self, hidden: Float32, gemm: Gemm) -> Float32:
        x = hidden
        for i, (matrix, bias) in enumerate(self.layers):
            if i and self.kan:
                np.tanh(x, out=x)
            elif i:
                np.maximum(x, 0, out=x)
            x = gemm.multiply(spread(x) if self.kan else x, matrix.T)
            x += bias
        return x


class Mlp:
    """A token MLP of either kind as two matrices, KANs folded."""

    def __init__(self, arrays: Arrays, name: str) -> None:
        self.layers: list[tuple[Float32, Float32 | None]] = []
        for i in (0, 1):
            layer = f"{name}.net.{i}"
            if is_kan(arrays, layer):
                self.layers.append(fold_kan(arrays, layer))
            else:
                self.layers.append((arrays[f"{layer}.weight"], None))

    def __call__(self, x: Float32) -> Float32:
        for i, (matrix, bias) in enumerate(self.layers):
            x = relu(x) if i else x
            x = matrix @ x if bias is None else matrix @ np.concatenate([silu(x), x, x * x]) + bias
        return x


class Tokens:
    """The four tokens of a frame, positions not added."""

    def __init__(self, arrays: Arrays) -> None:
        self.audio = Mlp(arrays, "audio_mlp")
        self.eye = Mlp(arrays, "eye_mlp")
        self.pose = Mlp(arrays, "cam_mlp")
        self.null = arrays["null_vector"].reshape(-1)
        self._arrays = arrays if POSE_MEAN in arrays else None

    def __call__(self, code: Float32, eye: float, pose: Float32) -> Float32:
        """code (32,), eye in [0, 1], pose (12,) -> (4, 64)."""
        arrays = self._arrays
        wave = eye_code(eye) if arrays is None else wave_code(eye, arrays[EYE_FREQUENCIES])
        pose = pose if arrays is None else standard_pose(arrays, pose)
        return np.stack([self.audio(code), self.eye(wave), self.pose(pose), self.null])


def _narrow(x: Float64) -> Float32:
    return np.ascontiguousarray(x, np.float32)


def _for_product(weight: Float32) -> Float32:
    """weight (out, in) -> (in, out), laid out as `Gemm.multiply` likes it."""
    return weight.T if weight.shape[0] < 16 else np.ascontiguousarray(weight.T)
