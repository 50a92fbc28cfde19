"""The network of the fast CPU engine: numpy's, its last layer and decoders fused in numba."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from ...records.gaussians import Gaussians
from ...records.weights import PAPER, NetworkWeights
from ...system.machine import available_cores
from ..checks import check_weights
from ..names import HEADS
from ..numpy.basics import Float32
from ..numpy.folded import FeedForward, Head
from ..numpy.folded_network import NumpyDeformer, PaperDeformer
from ..numpy.fused_attention import EsaaMixing, row_slices
from ..numpy.gemm import Gemm, aligned, numpy_has_blas
from .layers import ATTRIBUTE, WIDTH, deform_rows, scratch_floats
from .pack import FIELDS, Packed, blocks_of, pack, pack_decoder, pack_heads, pack_held, to_lanes
from .tiles import HEIGHT, LANES

SLICE = 16 * LANES  # Gaussians that a thread takes at a time; any number gives the same bits


def prepare(
    weights: NetworkWeights, gaussians: Gaussians, *, threads: int | None = None
) -> NumpyDeformer:
    """As numpy_network.prepare. threads: None for the number of cores; the bits do not depend on
    it. Raises CheckpointError."""
    check_weights(weights, gaussians)
    kind = FusedPaperDeformer if weights.kind == PAPER else FusedDeformer
    return kind(weights, gaussians, Gemm(numpy_has_blas(), threads or available_cores()))


class FusedDeformer(NumpyDeformer):
    """Implements `Deformer`; within 1e-5 of the plain network (other order of sums)."""

    def __init__(self, weights: NetworkWeights, gaussians: Gaussians, gemm: Gemm) -> None:
        super().__init__(weights, gaussians, gemm)
        feed_forward = self._layers[-1][1]
        self._packed = self._pack(feed_forward)
        gamma = weights.arrays[f"transformer.layers.{len(self._layers) - 1}.norm1.gamma"]
        self._norm = np.stack([gamma, feed_forward.gamma, feed_forward.beta])
        n = len(gaussians)
        g = gaussians
        raw = (g.means, g.log_scales, g.quats, g.opacity_logits.reshape(n, 1), g.sh.reshape(n, -1))
        self._canonical = tuple(np.require(values, np.float32, ["C", "W"]) for values in raw)
        widths = {FIELDS[row[ATTRIBUTE]]: row[WIDTH] for row in self._packed.targets}
        self._moving = [name in widths for name in FIELDS]
        self._partly = [  # some columns stay
            i
            for i, (name, values) in enumerate(zip(FIELDS, self._canonical, strict=True))
            if widths.get(name, 0) not in (0, values.shape[1])
        ]
        # What does not depend on the frame is turned to lanes once: all of a network of one layer.
        attention = self._layers[-1][0]
        shares = attention.hand_over() if isinstance(attention, EsaaMixing) else None
        self._shares = None if shares is None else to_lanes(shares)
        self._lanes = to_lanes(self._centred, HEIGHT) if len(self._layers) == 1 else None
        self._scratch = threading.local()

    def _pack(self, layer: FeedForward) -> Packed:
        return pack_heads(layer, self._heads)

    def deform_raw(self, code: Float32, eye: float, pose: Float32, strength: float) -> Gaussians:
        canonical, packed = self._canonical, self._packed
        # What stays is passed as it is, so that the compiled types are the same whatever is frozen.
        moved = tuple(
            np.empty_like(values) if moves else values
            for values, moves in zip(canonical, self._moving, strict=True)
        )
        if any(self._moving):
            lanes, frozen, values = self._last(code, eye, pose)
            flat_values = pack(values)

            def work(rows: slice) -> None:
                for i in self._partly:
                    moved[i][rows] = canonical[i][rows]
                deform_rows(
                    rows.start, *lanes(rows), frozen, flat_values, packed.pool, packed.products,
                    self._norm, packed.floor, packed.kan, packed.targets, strength, canonical,
                    moved, self._own_scratch(len(values)),
                )  # fmt: skip

            self._gemm.for_each(work, row_slices(len(self._centred), SLICE))
        means, scales, quats, opacities, sh = moved
        n = len(means)
        return Gaussians(means, scales, quats, opacities.reshape(n), sh.reshape(n, -1, 3))

    def _last(
        self, code: Float32, eye: float, pose: Float32
    ) -> tuple[Callable[[slice], tuple[Float32, Float32]], Float32, Float32]:
        """What the last layer of a frame takes (see deform_rows): rows -> their shares and centred
        input; what is held, packed; the values."""
        tokens, x, centred = self._before_last(code, eye, pose)
        attention, lanes = self._layers[-1][0], self._lanes

        def centred_lanes(rows: slice) -> Float32:
            return to_lanes(centred[rows], HEIGHT) if lanes is None else lanes[blocks_of(rows)]

        shares = self._shares
        if shares is not None and isinstance(attention, EsaaMixing):
            frozen, values = attention.frozen(tokens, x)
            return (
                lambda rows: (shares[blocks_of(rows)], centred_lanes(rows)),
                pack_held(frozen),
                values,
            )
        mix, values = attention.frame(tokens, x)
        nothing = np.empty(0, np.float32)
        return lambda rows: (to_lanes(mix(rows)), centred_lanes(rows)), nothing, values

    def _own_scratch(self, mixed: int) -> Float32:
        """This thread's: a frame does not pay for new pages."""
        kept = getattr(self._scratch, "values", None)
        if kept is None:
            kept = aligned(scratch_floats(self._norm.shape[1], mixed, self._packed.products))
            self._scratch.values = kept
        return kept


class FusedPaperDeformer(PaperDeformer, FusedDeformer):
    """The same for a "paper" network (paper.py)."""

    def _pack(self, layer: FeedForward) -> Packed:
        return pack_decoder(layer, self._decoder)


def warm_up() -> None:
    """Compile, or load from the cache, what a frame calls, whatever the kind of the network and
    whatever is frozen: on one Gaussian of nothing."""

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
    packed = pack_heads(layer, heads)
    canonical = tuple(zeros(1, width) for _, width in HEADS.values())
    deform_rows(
        0, to_lanes(zeros(1, 4)), to_lanes(zeros(1, dim)), zeros(0), pack(zeros(4, dim)),
        packed.pool, packed.products, zeros(3, dim), packed.floor, packed.kan, packed.targets, 1.0,
        canonical, canonical, aligned(scratch_floats(dim, 4, packed.products)),
    )  # fmt: skip
