"""The network inside Blender: numpy, with everything precomputed that does not depend on the
frame."""

from __future__ import annotations

import numpy as np

from ...records.arrays import Float32
from ...records.gaussians import Gaussians, Splats, activate, flat_of, gaussians_of
from ...records.weights import NetworkWeights
from ...system.gemm import Gemm, numpy_has_blas
from ..architecture import architecture_of
from ..checks import check_weights
from ..deformer import Deformer
from . import audio_net, triplane
from .basics import LAYER_NORM_EPS
from .folded import FeedForward, Tokens, centre, fold_decoder, fold_feed_forward
from .fused_attention import Mix, fused_attention, row_slices


def prepare(
    weights: NetworkWeights, gaussians: Gaussians, *, blas: bool | None = None
) -> NumpyDeformer:
    """Compute once what does not depend on the frame. `blas`: False for einsum and threads instead
    of numpy's BLAS, None for the BLAS if numpy has one. Raises CheckpointError."""
    check_weights(weights, gaussians)
    return NumpyDeformer(weights, gaussians, Gemm(numpy_has_blas() if blas is None else blas))


class NumpyDeformer(Deformer):
    """Same input, same bits; keeps no state between frames, so that threads may share it. Made by
    `prepare`."""

    def __init__(self, weights: NetworkWeights, gaussians: Gaussians, gemm: Gemm) -> None:
        arrays, architecture = weights.arrays, architecture_of(weights)
        self._arrays, self._gaussians, self._gemm = arrays, gaussians, gemm
        self._features = triplane.encoded(arrays, architecture, gaussians.means)
        self._centred = centre(self._features)
        self._tokens = Tokens(arrays)
        self._layers = [
            (
                fused_attention(arrays, architecture, i, gemm, None if i else self._features),
                fold_feed_forward(arrays, i),
            )
            for i in range(architecture.layers)
        ]
        self._decoder = fold_decoder(arrays, architecture)

    def encode_audio(self, windows: Float32) -> Float32:
        """windows (8, D, W) -> code (32,). Raises FeatureMismatchError."""
        return audio_net.encode(self._arrays, windows)

    def deform(self, code: Float32, eye: float, pose: Float32, strength: float) -> Splats:
        return activate(self.deform_raw(code, eye, pose, strength))

    def deform_raw(self, code: Float32, eye: float, pose: Float32, strength: float) -> Gaussians:
        """As `deform`, before activation."""
        tokens, x, centred = self._before_last(code, eye, pose)
        attention, feed_forward = self._layers[-1]
        step = self._step(attention.frame(tokens, x), feed_forward, centred)
        moved = _Moved(self._gaussians, self._decoder.attributes)

        def move(rows: slice) -> None:
            for attribute, offset in self._decoder.offsets(step(rows), self._gemm):
                moved.add(attribute, rows, offset, strength)

        self._gemm.for_each(move, row_slices(len(centred)))
        return moved.gaussians()

    def _before_last(
        self, code: Float32, eye: float, pose: Float32
    ) -> tuple[Float32, Float32, Float32]:
        """The tokens (4, 64), and the last layer's input (N, 64), plain and centred."""
        tokens = self._tokens(code, eye, np.asarray(pose, np.float32))
        x, centred = self._features, self._centred
        for attention, feed_forward in self._layers[:-1]:
            step = self._step(attention.frame(tokens, x), feed_forward, centred)
            x = self._collect(step, row_slices(len(x)))
            centred = centre(x)
        return tokens, x, centred

    def _step(self, frame: tuple[Mix, Float32], layer: FeedForward, centred: Float32) -> Mix:
        """One layer of one frame: rows -> its output (n, 64)."""
        mix, values = frame
        return lambda rows: self._layer(mix(rows), values, layer, centred[rows])

    def _collect(self, step: Mix, slices: list[slice]) -> Float32:
        out = np.empty_like(self._features)

        def fill(rows: slice) -> None:
            out[rows] = step(rows)

        self._gemm.for_each(fill, slices)
        return out

    def _layer(
        self, mix: Float32, values: Float32, layer: FeedForward, centred: Float32
    ) -> Float32:
        """mix (n, M), values (M, 64), centred input (n, 64) -> the layer's output (n, 64)."""
        multiply = self._gemm.multiply
        width = centred.shape[1]
        both = np.empty((len(centred), len(layer.outer)), np.float32)  # [normed | hidden]
        normed, hidden = both[:, :width], both[:, width:]
        y = multiply(mix, values)
        y += centred
        np.multiply(y, _scale(y), out=normed)
        multiply(normed, layer.inner, out=hidden)
        hidden += layer.inner_bias
        np.maximum(hidden, 0, out=hidden)
        multiply(both, layer.outer, out=y)
        y += layer.outer_bias
        y *= _scale(y)
        y *= layer.gamma
        y += layer.beta
        return y


def _scale(centred: Float32) -> Float32:
    """(n, 64) centred -> (n, 1): one over the deviation."""
    variance = np.einsum("ij,ij->i", centred, centred) / np.float32(centred.shape[1])
    return (np.float32(1) / np.sqrt(variance + LAYER_NORM_EPS))[:, None]


class _Moved:
    """The frame's raw values, filled a slice of rows at a time; attributes that the network does
    not move are shared with the canonical Gaussians."""

    def __init__(self, gaussians: Gaussians, attributes: list[str]) -> None:
        self._canonical = flat_of(gaussians)
        self._values = dict(self._canonical)
        for attribute in attributes:
            self._values[attribute] = np.empty_like(self._canonical[attribute])

    def add(self, attribute: str, rows: slice, offset: Float32, strength: float) -> None:
        """offset may have the first columns only."""
        offset *= np.float32(strength)
        canonical, values = self._canonical[attribute][rows], self._values[attribute][rows]
        width = offset.shape[1]
        np.add(canonical[:, :width], offset, out=values[:, :width])
        if width < canonical.shape[1]:
            values[:, width:] = canonical[:, width:]

    def gaussians(self) -> Gaussians:
        return gaussians_of(self._values)
