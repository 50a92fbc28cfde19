"""A Conformer block in numpy: half a feed-forward, attention, a convolution, half a feed-forward.

Equal to the plain network (tests/support/plain_phonetic.py) within 1e-4 of a readout. It is faster
because a norm's weights are folded into the layer after it, a few rows at a time stay in the
processor's cache from one layer to the next, and products run on the better of matmul and einsum
(system/gemm.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..records.arrays import Float32
from ..system.gemm import Gemm

WIDTH = 144
HEADS = 4
TAPS = 31
EPSILON = 1e-5  # of the norms
ROWS = 160  # steps at a time: their widest array, 576 floats a step, is 0.4 MB
# Scores of the attention whose exponential can neither overflow nor vanish from a sum in float32.
SAFE_SCORE = 60.0


@dataclass(frozen=True, eq=False)
class Linear:
    """x @ weight + bias. weight (in, out), bias (out,) float32."""

    weight: Float32
    bias: Float32

    def __call__(self, gemm: Gemm, x: Float32) -> Float32:
        out = gemm.multiply(x, self.weight)
        out += self.bias
        return out


@dataclass(frozen=True, eq=False)
class Block:
    """The layers of a block: each first one includes the norm before it, the queries their scale,
    and the feed-forwards' second ones their half. taps (31, 144) and taps_bias (144,): of the
    depthwise convolution. scale, shift (144,): of the last norm."""

    first_in: Linear
    first_out: Linear
    attention_in: Linear
    attention_out: Linear
    conv_in: Linear
    conv_out: Linear
    second_in: Linear
    second_out: Linear
    taps: Float32
    taps_bias: Float32
    scale: Float32
    shift: Float32


def block_of(tensor: Callable[[str], Float32]) -> Block:
    """The block whose tensors `tensor` gives by their names in docs/formats.md."""
    queries = np.ones(3 * WIDTH, np.float32)
    queries[:WIDTH] = (WIDTH // HEADS) ** -0.5

    def linear(name: str, factor: Float32 | float = 1.0) -> Linear:
        weight = tensor(f"{name}.weight").T.astype(np.float64) * factor
        bias = tensor(f"{name}.bias").astype(np.float64) * factor
        return Linear(np.ascontiguousarray(weight, np.float32), bias.astype(np.float32))

    def after_norm(norm: str, name: str, factor: Float32 | float = 1.0) -> Linear:
        weight = tensor(f"{name}.weight").T.astype(np.float64) * factor
        bias = tensor(f"{name}.bias").astype(np.float64) * factor
        bias = bias + tensor(f"{norm}.bias").astype(np.float64) @ weight
        weight = tensor(f"{norm}.weight").astype(np.float64)[:, None] * weight
        return Linear(np.ascontiguousarray(weight, np.float32), bias.astype(np.float32))

    return Block(
        first_in=after_norm("ffn1.norm", "ffn1.in"),
        first_out=linear("ffn1.out", 0.5),
        attention_in=after_norm("attention.norm", "attention.in", queries),
        attention_out=linear("attention.out"),
        conv_in=after_norm("conv.norm", "conv.in"),
        conv_out=linear("conv.out"),
        second_in=after_norm("ffn2.norm", "ffn2.in"),
        second_out=linear("ffn2.out", 0.5),
        taps=np.ascontiguousarray(tensor("conv.depth.weight").T),
        taps_bias=tensor("conv.depth.bias"),
        scale=tensor("norm.weight"),
        shift=tensor("norm.bias"),
    )


def apply(block: Block, x: Float32, gemm: Gemm) -> Float32:
    """(T, 144) of (T, 144)."""
    count = len(x)
    slices = [slice(first, min(first + ROWS, count)) for first in range(0, count, ROWS)]
    x = x.copy()
    joined = np.empty((count, 3 * WIDTH), np.float32)
    for rows in slices:
        _add_feed_forward(x[rows], block.first_in, block.first_out, gemm)
        joined[rows] = block.attention_in(gemm, normalised(x[rows]))
    mixed = attention(joined, slices, gemm)
    # Silence around the gate's output, for the taps beyond both ends.
    gated = np.zeros((count + TAPS - 1, WIDTH), np.float32)
    for rows in slices:
        x[rows] += block.attention_out(gemm, mixed[rows])
        both = block.conv_in(gemm, normalised(x[rows]))
        inside = gated[rows.start + TAPS // 2 : rows.stop + TAPS // 2]
        np.divide(both[:, :WIDTH], _one_and_exp(both[:, WIDTH:]), out=inside)
    for rows in slices:
        x[rows] += block.conv_out(gemm, _swish(_depthwise(block, gated, rows)))
        _add_feed_forward(x[rows], block.second_in, block.second_out, gemm)
        x[rows] = normalised(x[rows]) * block.scale + block.shift
    return x


def normalised(x: Float32) -> Float32:
    """(n, 144) centred, of deviation 1."""
    centred = x - x.mean(1, keepdims=True)
    square = np.einsum("ij,ij->i", centred, centred)
    centred *= (1 / np.sqrt(square / np.float32(WIDTH) + np.float32(EPSILON)))[:, None]
    return centred


def _add_feed_forward(x: Float32, inner: Linear, outer: Linear, gemm: Gemm) -> None:
    """In place."""
    x += outer(gemm, _swish(inner(gemm, normalised(x))))


def _swish(x: Float32) -> Float32:
    """x * sigmoid(x), in place."""
    x /= _one_and_exp(x)
    return x


def _one_and_exp(x: Float32) -> Float32:
    """1 + exp(-x): infinite where the sigmoid is 0 in float32."""
    e = np.negative(x)
    with np.errstate(over="ignore"):
        np.exp(e, out=e)
    e += np.float32(1)
    return e


def attention(joined: Float32, slices: list[slice], gemm: Gemm) -> Float32:
    """(T, 144): four heads of 36, every step against every other. joined (T, 432): queries, keys
    and values."""
    count, width = len(joined), WIDTH // HEADS
    mixed = np.empty((count, WIDTH), np.float32)
    # The ones give each row's sum in the same product.
    values = np.ones((width + 1, count), np.float32)
    for head in range(HEADS):
        at = [slice(WIDTH * k + width * head, WIDTH * k + width * (head + 1)) for k in range(3)]
        keys = np.ascontiguousarray(joined[:, at[1]].T)
        values[:width] = joined[:, at[2]].T
        for rows in slices:
            scores = gemm.multiply(np.ascontiguousarray(joined[rows, at[0]]), keys)
            if max(scores.max(), -scores.min()) > SAFE_SCORE:
                scores -= scores.max(1, keepdims=True)
            np.exp(scores, out=scores)
            sums = gemm.multiply(scores, values.T)
            np.divide(sums[:, :width], sums[:, width:], out=mixed[rows, at[0]])
    return mixed


def _depthwise(block: Block, gated: Float32, rows: slice) -> Float32:
    """(n, 144): each value's convolution over 31 steps."""
    count = rows.stop - rows.start
    total = np.empty((count, WIDTH), np.float32)
    total[:] = block.taps_bias
    term = np.empty_like(total)
    for k in range(TAPS):
        np.multiply(gated[rows.start + k : rows.stop + k], block.taps[k], out=term)
        total += term
    return total
