"""Weights folded once for each avatar, by exact algebra, so that a frame takes fewer passes.

Centring (the first step of a layer norm) is linear: it is folded into the matrices before it. The
first norm's gamma and beta are folded into the matrices after it. TaylorKAN's power 0 is a bias.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...records.arrays import Float32, Float64
from ...system.gemm import Gemm
from ..architecture import COLUMNS, Architecture
from ..names import DECODER, HEADS, is_kan, layer_prefix
from .basics import Arrays, relu, silu
from .tokens import eye_code, eye_frequencies, standard_pose


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


def fold_heads(arrays: Arrays, architecture: Architecture) -> list[Head]:
    """The heads whose attribute is not frozen."""
    return [
        Head(
            attribute,
            np.ascontiguousarray(arrays[f"{head}.1.weight"].T),
            arrays[f"{head}.1.bias"],
            _for_product(arrays[f"{head}.3.weight"]),
            arrays[f"{head}.3.bias"],
        )
        for head, (attribute, _) in HEADS.items()
        if attribute not in architecture.frozen
    ]


def fold_kan(arrays: Arrays, name: str) -> tuple[Float32, Float32]:
    """TaylorKAN as [base | C1 | C2] (O, 3 I) on [silu(x) | x | x^2], plus a bias (O,) that
    includes its power 0."""
    taylor = arrays[f"{name}.taylor_coeffs"].astype(np.float64)
    bias = taylor[:, :, 0].sum(axis=1) + arrays[f"{name}.bias"]
    base = arrays[f"{name}.base_weight"].astype(np.float64)
    matrix = np.concatenate([base, taylor[:, :, 1], taylor[:, :, 2]], axis=1)
    return _narrow(matrix), _narrow(bias)


def powers(x: Float32) -> Float32:
    """x (n, I) -> [silu(x) | x | x^2] (n, 3 I), the input of a folded KAN."""
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


Offsets = Iterator[tuple[str, Float32]]


class Heads:
    """The official decoder: a head for each attribute."""

    def __init__(self, arrays: Arrays, architecture: Architecture) -> None:
        self.heads = fold_heads(arrays, architecture)
        self.attributes = [head.attribute for head in self.heads]

    def offsets(self, hidden: Float32, gemm: Gemm) -> Offsets:
        """hidden (n, 64), which is overwritten -> attribute, its offsets (n, width)."""
        np.maximum(hidden, 0, out=hidden)
        for head in self.heads:
            yield head.attribute, _offset(head, hidden, gemm)


def _offset(head: Head, hidden: Float32, gemm: Gemm) -> Float32:
    y = gemm.multiply(hidden, head.inner)
    y += head.inner_bias
    np.maximum(y, 0, out=y)
    out = gemm.multiply(y, head.outer)
    out += head.outer_bias
    return out


class Decoder:
    """The one decoder of all attributes: see architecture.py. layers: matrix (out, in), bias."""

    def __init__(self, arrays: Arrays, architecture: Architecture) -> None:
        self.kan = architecture.kan
        self.attributes = list(architecture.widths)
        self.layers = [fold_dense(arrays, name) for name in DECODER]

    def offsets(self, hidden: Float32, gemm: Gemm) -> Offsets:
        """hidden (n, 64) -> attribute, its offsets (n, width)."""
        x = hidden
        for i, (matrix, bias) in enumerate(self.layers):
            if i and self.kan:
                np.tanh(x, out=x)
            elif i:
                np.maximum(x, 0, out=x)
            x = gemm.multiply(powers(x) if self.kan else x, matrix.T)
            x += bias
        for attribute in self.attributes:
            yield attribute, x[:, COLUMNS[attribute]]


def fold_dense(arrays: Arrays, name: str) -> tuple[Float32, Float32]:
    """Matrix (O, I) and bias (O,) of a linear layer, (O, 3 I) of a KAN: see `fold_kan`."""
    if is_kan(arrays, name):
        return fold_kan(arrays, name)
    return arrays[f"{name}.weight"], arrays[f"{name}.bias"]


def fold_decoder(arrays: Arrays, architecture: Architecture) -> Heads | Decoder:
    return (Decoder if architecture.decoder else Heads)(arrays, architecture)


class Mlp:
    """A token MLP as two matrices, KANs folded."""

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
        self._arrays, self._frequencies = arrays, eye_frequencies(arrays)

    def __call__(self, code: Float32, eye: float, pose: Float32) -> Float32:
        """code (32,), eye in [0, 1], pose (12,) -> (4, 64)."""
        wave = eye_code(eye, self._frequencies)
        pose = standard_pose(self._arrays, pose)
        return np.stack([self.audio(code), self.eye(wave), self.pose(pose), self.null])


def _narrow(x: Float64) -> Float32:
    return np.ascontiguousarray(x, np.float32)


def _for_product(weight: Float32) -> Float32:
    """weight (out, in) -> (in, out), in the layout for `Gemm.multiply`."""
    return weight.T if weight.shape[0] < 16 else np.ascontiguousarray(weight.T)
