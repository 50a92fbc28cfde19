"""The network of the fast CPU engine: numpy's, with the last layer and the heads fused in numba."""

from __future__ import annotations

import threading

import numpy as np

from ..gaussians import Gaussians
from ..machine import available_cores
from .basics import Float32
from .checks import check_weights
from .folded import FeedForward, Head
from .gemm import Gemm, aligned, numpy_has_blas
from .mixing import row_slices
from .names import HEADS
from .numba_layers import COLUMNS, Int64, deform_rows, scratch_floats
from .numba_tiles import HEIGHT, LANES
from .numpy_network import NumpyDeformer, deformer_of
from .weights import PAPER, NetworkWeights

FIELDS = ("means", "scales", "quats", "opacities", "sh")

SLICE = 16 * LANES  # Gaussians that a thread takes at a time; any number gives the same bits


def prepare(
    weights: NetworkWeights, gaussians: Gaussians, *, threads: int | None = None
) -> NumpyDeformer:
    """As numpy_network.prepare. threads: None for the number of cores; the bits do not depend on
    it. Raises CheckpointError."""
    check_weights(weights, gaussians)
    gemm = Gemm(numpy_has_blas(), threads or available_cores())
    if weights.kind == PAPER:  # its decoder is a third of the official ones; numpy keeps up
        return deformer_of(weights, gaussians, gemm)
    return FusedDeformer(weights, gaussians, gemm)


class FusedDeformer(NumpyDeformer):
    """Implements `Deformer`; within 1e-5 of the plain network (other order of sums)."""

    def __init__(self, weights: NetworkWeights, gaussians: Gaussians, gemm: Gemm) -> None:
        super().__init__(weights, gaussians, gemm)
        feed_forward = self._layers[-1][1]
        self._pool, self._products = _pack(feed_forward, self._heads)
        gamma = weights.arrays[f"transformer.layers.{len(self._layers) - 1}.norm1.gamma"]
        self._norm = np.stack([gamma, feed_forward.gamma, feed_forward.beta])
        n = len(gaussians)
        g = gaussians
        raw = (g.means, g.log_scales, g.quats, g.opacity_logits.reshape(n, 1), g.sh.reshape(n, -1))
        self._canonical = {
            name: np.require(values, np.float32, ["C", "W"])
            for name, values in zip(FIELDS, raw, strict=True)
        }
        self._scratch = threading.local()

    def deform_raw(self, code: Float32, eye: float, pose: Float32, strength: float) -> Gaussians:
        (mix, values), centred = self._before_last(code, eye, pose)
        packed = pack(values)
        moving = [head.attribute for head in self._heads]
        canonical = tuple(self._canonical[name] for name in moving)
        moved = tuple(np.empty_like(values) for values in canonical)
        if moved:

            def work(rows: slice) -> None:
                shares = np.ascontiguousarray(mix(rows))
                deform_rows(
                    rows.start, shares, packed, centred, self._pool, self._products, self._norm,
                    strength, canonical, moved, self._own_scratch(shares.shape[1]),
                )  # fmt: skip

            self._gemm.for_each(work, row_slices(len(centred), SLICE))
        found = {**self._canonical, **dict(zip(moving, moved, strict=True))}
        n = len(centred)
        means, scales, quats, opacities, sh = (found[name] for name in FIELDS)
        return Gaussians(means, scales, quats, opacities.reshape(n), sh.reshape(n, -1, 3))

    def _own_scratch(self, inputs: int) -> Float32:
        """This thread's: a frame does not pay for new pages."""
        kept = getattr(self._scratch, "values", None)
        if kept is None:
            kept = aligned(scratch_floats(self._centred.shape[1], inputs, self._products))
            self._scratch.values = kept
        return kept


def warm_up() -> None:
    """Compile, or load from the cache, what `FusedDeformer` calls: on one Gaussian of nothing."""

    def zeros(*shape: int) -> Float32:
        return np.zeros(shape, np.float32)

    dim = HEIGHT
    layer = FeedForward(
        zeros(dim, dim), zeros(dim), zeros(2 * dim, dim), zeros(dim), zeros(dim), zeros(dim)
    )
    heads = [
        Head(attribute, zeros(dim, dim), zeros(dim), zeros(dim, width), zeros(width))
        for attribute, width in HEADS.values()
    ]
    pool, products = _pack(layer, heads)
    canonical = tuple(zeros(1, width) for _, width in HEADS.values())
    deform_rows(
        0, zeros(1, 4), pack(zeros(4, dim)), zeros(1, dim), pool, products, zeros(3, dim), 1.0,
        canonical, canonical, aligned(scratch_floats(dim, 4, products)),
    )  # fmt: skip


def pack(matrix: Float32) -> Float32:
    """(inputs, outputs) -> flat: tile by tile of HEIGHT outputs, missing ones 0."""
    inputs, outputs = matrix.shape
    tiles = -(-outputs // HEIGHT)
    full = np.zeros((inputs, tiles * HEIGHT), np.float32)
    full[:, :outputs] = matrix
    return full.reshape(inputs, tiles, HEIGHT).swapaxes(0, 1).reshape(-1)


def _pack(layer: FeedForward, heads: list[Head]) -> tuple[Float32, Int64]:
    """All weights and biases in one array, and the table of products that finds them."""
    width = layer.inner.shape[0]
    # Of [z | hidden] only hidden is multiplied: the part of z is diagonal before it is centred.
    pairs = [(layer.inner, layer.inner_bias), (layer.outer[width:], layer.outer_bias)]
    for head in heads:
        pairs += [(head.inner, head.inner_bias), (head.outer, head.outer_bias)]
    parts: list[Float32] = []
    table = np.zeros((len(pairs), COLUMNS), np.int64)
    at = 0
    for row, (matrix, bias) in enumerate(pairs):
        weights, biases = pack(matrix), pack(bias[None])
        table[row] = at, at + len(weights), *matrix.shape
        parts += [weights, biases]
        at += len(weights) + len(biases)
    return np.concatenate(parts), table
