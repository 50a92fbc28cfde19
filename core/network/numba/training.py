"""Layers of the Gaussians in training, for numpy arrays: forwards, and backwards from the same
inputs. Their twins are in torch/layers.py; torch/compiled_layers.py makes them functions of torch.

The matrix of a KAN is (O, 3 I): what multiplies x, x^2 and silu(x).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...records.arrays import Float32
from ...system.numba_vectors import WIDTH
from . import deform_back, rows_back
from .deform_back import Norm, Regions
from .parts import Layout, Packed, lane_sums, run, weight_slopes, whole
from .products import Product

NOTHING = np.float32(-1e30)  # the logit of an agent that only fills a tile


class Weights(NamedTuple):
    """Of `deform`: norms (2, 64), gamma and beta; inner (H, 64) and outer (64, H) of the
    feed-forward, first (E, 192) and second (14, 3 E) of the decoder."""

    norm1: Float32
    inner: Float32
    inner_bias: Float32
    outer: Float32
    outer_bias: Float32
    norm2: Float32
    first: Float32
    first_bias: Float32
    second: Float32
    second_bias: Float32


def deform(x: Float32, shares: Float32, mix: Float32, keys: Float32, weights: Weights) -> Float32:
    """x (N, 64), shares (N, A), mix (B, A, T), keys (B, T, 64) -> offsets (B, N, 14)."""
    layout, plan = _deform_plan(x, shares, mix, keys, weights)
    out = np.empty((len(mix), len(x), len(weights.second)), np.float32)
    run(
        layout, len(x),
        lambda values, start, stop: deform_back.forwards(
            values, plan, x, shares, start, stop, out
        ),
    )  # fmt: skip
    return out


def deform_slopes(
    x: Float32, shares: Float32, mix: Float32, keys: Float32, weights: Weights, slopes: Float32
) -> tuple[Float32, Float32, Float32, Float32, Weights]:
    """The gradients of the arguments of `deform`, given those of the offsets (B, N, 14)."""
    layout, plan = _deform_plan(x, shares, mix, keys, weights)
    of_x, of_shares = np.empty_like(x), np.empty_like(shares)
    found = run(
        layout, len(x),
        lambda values, start, stop: deform_back.backwards(
            values, plan, x, shares, slopes, start, stop, of_x, of_shares
        ),
    )  # fmt: skip

    def frames(product: Product, shape: tuple[int, ...]) -> Float32:
        count, *sides = shape
        return np.stack([
            weight_slopes(
                found, product._replace(slopes=product.slopes + b * plan.frame_slopes), *sides
            )
            for b in range(count)
        ])  # fmt: skip

    def norm(place: Norm) -> Float32:
        return lane_sums(found, place.slopes, weights.norm1.size).reshape(weights.norm1.shape)

    def bias(product: Product, like: Float32) -> Float32:
        return lane_sums(found, product.bias_slopes, product.outputs)[: len(like)]

    of_weights = Weights(
        norm(plan.norm1),
        weight_slopes(found, plan.inner, *weights.inner.shape[::-1]).T,
        bias(plan.inner, weights.inner_bias),
        weight_slopes(found, plan.outer, *weights.outer.shape[::-1]).T,
        bias(plan.outer, weights.outer_bias),
        norm(plan.norm2),
        _kan_slopes(found, plan.first, weights.first),
        bias(plan.first, weights.first_bias),
        _kan_slopes(found, plan.second, weights.second),
        bias(plan.second, weights.second_bias),
    )
    return of_x, of_shares, frames(plan.mix, mix.shape), frames(plan.keys, keys.shape), of_weights


def _deform_plan(
    x: Float32, shares: Float32, mix: Float32, keys: Float32, weights: Weights
) -> tuple[Layout, deform_back.Plan]:
    layout, w, dim = Layout(), weights, x.shape[1]
    frames = []
    for own_mix, own_keys in zip(mix, keys, strict=True):
        begin = layout.size
        frames.append((layout.packed(own_mix), layout.packed(own_keys)))
        frame_weights = layout.size - begin
    packed = [
        layout.packed(w.inner.T, w.inner_bias),
        layout.packed(w.outer.T, w.outer_bias),
        _packed_kan(layout, w.first, w.first_bias),
        _packed_kan(layout, w.second, w.second_bias),
    ]
    gammas = [layout.put(w.norm1.reshape(-1)), layout.put(w.norm2.reshape(-1))]
    products = []
    for own in frames:
        begin = layout.size
        products.append((layout.product(own[0]), layout.product(own[1])))
        frame_slopes = layout.size - begin
    first_mix, first_keys = products[0]
    inner, outer, first, second = (layout.product(own) for own in packed)
    norm1, norm2 = (Norm(gamma, layout.sums(2 * dim * WIDTH)) for gamma in gammas)
    sides = (inner.outputs, first.outputs, second.outputs)
    regions = _deform_regions(layout, dim, first_mix, *sides)
    plan = deform_back.Plan(
        first_mix, first_keys, inner, outer, first, second, norm1, norm2, regions,
        frame_weights, frame_slopes, layout.zeros,
    )  # fmt: skip
    return layout, plan


def _deform_regions(
    layout: Layout, dim: int, mix: Product, hidden: int, wide: int, out: int
) -> Regions:
    agents, tokens = mix.inputs, mix.outputs
    rows = (
        dim, agents, tokens, dim, dim, hidden, dim, 3 * dim, 3 * wide, out, 1, 1,
        dim, agents, tokens, dim, hidden, 3 * dim, 3 * wide, out,
    )  # fmt: skip
    return Regions(*(layout.region(count) for count in rows))


def rows(x: Float32, matrix: Float32, bias: Float32 | None, centre: float) -> Float32:
    """x (N, I) less `centre` through a KAN of that matrix and bias (O,) -> (N, O); without a bias,
    softmax(x @ matrix.T), matrix (O, I)."""
    layout, plan = _rows_plan(x, matrix, bias, centre)
    out = np.empty((len(x), len(matrix)), np.float32)
    run(
        layout, len(x),
        lambda values, start, stop: rows_back.forwards(values, plan, x, start, stop, out),
    )  # fmt: skip
    return out


def rows_slopes(
    x: Float32, matrix: Float32, bias: Float32 | None, centre: float, slopes: Float32
) -> tuple[Float32, Float32, Float32 | None]:
    """The gradients of x, matrix and bias of `rows`, given those of its result (N, O)."""
    layout, plan = _rows_plan(x, matrix, bias, centre)
    of_x = np.empty_like(x)
    found = run(
        layout, len(x),
        lambda values, start, stop: rows_back.backwards(
            values, plan, x, slopes, start, stop, of_x
        ),
    )  # fmt: skip
    product = plan.product
    if bias is None:
        return of_x, weight_slopes(found, product, *matrix.shape[::-1]).T, None
    of_bias = lane_sums(found, product.bias_slopes, product.outputs)[: len(bias)]
    return of_x, _kan_slopes(found, product, matrix), of_bias


def _rows_plan(
    x: Float32, matrix: Float32, bias: Float32 | None, centre: float
) -> tuple[Layout, rows_back.Plan]:
    layout, width = Layout(), whole(x.shape[1])
    if bias is None:
        logits = np.zeros(whole(len(matrix)), np.float32)
        logits[len(matrix) :] = NOTHING
        packed = layout.packed(matrix.T, logits)
    else:
        packed = _packed_kan(layout, matrix, bias)
    product = layout.product(packed)
    sides = (product.inputs, product.outputs, product.inputs, product.outputs)
    x_values, out, x_slopes, out_slopes = (layout.region(count) for count in sides)
    return layout, rows_back.Plan(
        product, bias is not None, float(centre), width, x_values, out, x_slopes, out_slopes,
        layout.zeros,
    )  # fmt: skip


def _packed_kan(layout: Layout, matrix: Float32, bias: Float32) -> Packed:
    """Each of the three parts of its inputs whole tiles."""
    outputs, inputs = len(matrix), matrix.shape[1] // 3
    full = np.zeros((3, whole(inputs), outputs), np.float32)
    full[:, :inputs] = matrix.T.reshape(3, inputs, outputs)
    return layout.packed(full.reshape(-1, outputs), bias)


def _kan_slopes(found: Float32, product: Product, matrix: Float32) -> Float32:
    """(O, 3 I)"""
    outputs, inputs = len(matrix), matrix.shape[1] // 3
    every = weight_slopes(found, product, product.inputs, outputs)
    parts = every.reshape(3, product.inputs // 3, outputs)[:, :inputs]
    return np.ascontiguousarray(parts.reshape(3 * inputs, outputs).T)
