"""The network at work inside Blender: numpy, everything that does not depend on the frame ready."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...records.gaussians import Gaussians, Splats, activate
from ...records.weights import PAPER, NetworkWeights
from .. import paper
from ..checks import check_weights
from ..names import layer_count
from . import audio_net, triplane
from .basics import LAYER_NORM_EPS, Arrays, Float32
from .folded import (
    FeedForward,
    Head,
    PaperDecoder,
    Tokens,
    centre,
    fold_feed_forward,
    fold_heads,
)
from .fused_attention import Mix, mixing, row_slices
from .gemm import Gemm, numpy_has_blas


def prepare(
    weights: NetworkWeights, gaussians: Gaussians, *, blas: bool | None = None
) -> NumpyDeformer:
    """Compute once what does not depend on the frame. `blas`: False to use einsum and threads
    instead of numpy's BLAS, None to see what numpy has. Raises CheckpointError."""
    check_weights(weights, gaussians)
    return deformer_of(weights, gaussians, Gemm(numpy_has_blas() if blas is None else blas))


def deformer_of(weights: NetworkWeights, gaussians: Gaussians, gemm: Gemm) -> NumpyDeformer:
    """For checked weights of any kind."""
    kind = PaperDeformer if weights.kind == PAPER else NumpyDeformer
    return kind(weights, gaussians, gemm)


class NumpyDeformer:
    """Implements `Deformer`. Same input, same bits; holds no state of a frame, so that threads may
    share it. Made by `prepare`."""

    def __init__(self, weights: NetworkWeights, gaussians: Gaussians, gemm: Gemm) -> None:
        arrays = weights.arrays
        self._arrays, self._gaussians, self._gemm = arrays, gaussians, gemm
        self._features = self._encode(arrays, gaussians.means)
        self._centred = centre(self._features)
        self._tokens = Tokens(arrays)
        self._layers = [
            (mixing(weights, i, gemm, None if i else self._features), fold_feed_forward(arrays, i))
            for i in range(layer_count(arrays))
        ]
        self._decoding(weights)

    def _encode(self, arrays: Arrays, means: Float32) -> Float32:
        return triplane.features(arrays, means)

    def _decoding(self, weights: NetworkWeights) -> None:
        self._heads = fold_heads(weights)

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
        moved = _Moved(self._gaussians, self._attributes())

        def move(rows: slice) -> None:
            for attribute, offset in self._offsets(step(rows)):
                moved.add(attribute, rows, offset, strength)

        self._gemm.for_each(move, row_slices(len(centred)))
        return moved.gaussians()

    def _attributes(self) -> list[str]:
        return [head.attribute for head in self._heads]

    def _offsets(self, hidden: Float32) -> Iterator[tuple[str, Float32]]:
        """hidden (n, 64), which may be written on -> what each attribute is moved by."""
        np.maximum(hidden, 0, out=hidden)
        for head in self._heads:
            yield head.attribute, self._head(head, hidden)

    def _before_last(
        self, code: Float32, eye: float, pose: Float32
    ) -> tuple[Float32, Float32, Float32]:
        """The tokens (4, 64), and the last layer's input (N, 64), as it is and centred."""
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

    def _head(self, head: Head, hidden: Float32) -> Float32:
        y = self._gemm.multiply(hidden, head.inner)
        y += head.inner_bias
        np.maximum(y, 0, out=y)
        out = self._gemm.multiply(y, head.outer)
        out += head.outer_bias
        return out


class PaperDeformer(NumpyDeformer):
    """The same for a "paper" network (paper.py)."""

    def _encode(self, arrays: Arrays, means: Float32) -> Float32:
        return paper.encoded(arrays, means)

    def _decoding(self, weights: NetworkWeights) -> None:
        self._decoder = PaperDecoder(weights)

    def _attributes(self) -> list[str]:
        return list(self._decoder.columns)

    def _offsets(self, hidden: Float32) -> Iterator[tuple[str, Float32]]:
        out = self._decoder(hidden, self._gemm)
        for attribute, columns in self._decoder.columns.items():
            yield attribute, out[:, columns]


def _scale(centred: Float32) -> Float32:
    """(n, 64) centred -> (n, 1): one over the deviation."""
    variance = np.einsum("ij,ij->i", centred, centred) / np.float32(centred.shape[1])
    return (np.float32(1) / np.sqrt(variance + LAYER_NORM_EPS))[:, None]


class _Moved:
    """The frame's raw values, filled a slice of rows at a time; what no head moves stays shared
    with the canonical Gaussians."""

    def __init__(self, gaussians: Gaussians, attributes: list[str]) -> None:
        n = len(gaussians)
        self._canonical = {
            "means": gaussians.means,
            "scales": gaussians.log_scales,
            "quats": gaussians.quats,
            "opacities": gaussians.opacity_logits.reshape(n, 1),
            "sh": gaussians.sh.reshape(n, -1),
        }
        self._values = dict(self._canonical)
        for attribute in attributes:
            self._values[attribute] = np.empty_like(self._canonical[attribute])

    def add(self, attribute: str, rows: slice, offset: Float32, strength: float) -> None:
        """offset may have the first columns alone."""
        offset *= np.float32(strength)
        canonical, values = self._canonical[attribute][rows], self._values[attribute][rows]
        width = offset.shape[1]
        np.add(canonical[:, :width], offset, out=values[:, :width])
        if width < canonical.shape[1]:
            values[:, width:] = canonical[:, width:]

    def gaussians(self) -> Gaussians:
        values = self._values
        n = len(values["means"])
        return Gaussians(
            values["means"],
            values["scales"],
            values["quats"],
            values["opacities"].reshape(n),
            values["sh"].reshape(n, -1, 3),
        )
