"""The network of the fast CPU engine: numpy's, its last layer and decoders fused in numba."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from ...records.arrays import Float32
from ...records.gaussians import ATTRIBUTES, WIDTHS, Gaussians, flat_of, gaussians_of
from ...records.weights import NetworkWeights
from ...system.gemm import Gemm, aligned, numpy_has_blas
from ...system.machine import available_cores
from ..checks import check_weights
from ..numpy.folded import FeedForward, Head
from ..numpy.folded_network import NumpyDeformer
from ..numpy.fused_attention import FusedEsaa, row_slices
from .layers import ATTRIBUTE, WIDTH, deform_rows, scratch_floats
from .pack import blocks_of, pack, pack_agents, pack_decoding, pack_heads, to_lanes
from .tiles import HEIGHT, LANES

SLICE = 16 * LANES  # Gaussians that a thread takes at a time; any number gives the same bits


def prepare(
    weights: NetworkWeights, gaussians: Gaussians, *, threads: int | None = None
) -> FusedDeformer:
    """As folded_network.prepare. threads: None for the number of cores; the bits do not depend on
    it. Raises CheckpointError."""
    check_weights(weights, gaussians)
    return FusedDeformer(weights, gaussians, Gemm(numpy_has_blas(), threads or available_cores()))


class _Scratch(threading.local):
    values: Float32 | None = None


class FusedDeformer(NumpyDeformer):
    """Within 1e-5 of the plain network (sums in another order)."""

    def __init__(self, weights: NetworkWeights, gaussians: Gaussians, gemm: Gemm) -> None:
        super().__init__(weights, gaussians, gemm)
        feed_forward = self._layers[-1][1]
        self._packed = pack_decoding(feed_forward, self._decoder)
        gamma = weights.arrays[f"transformer.layers.{len(self._layers) - 1}.norm1.gamma"]
        self._norm = np.stack([gamma, feed_forward.gamma, feed_forward.beta])
        raw = flat_of(gaussians)
        self._canonical = tuple(np.require(raw[a.name], np.float32, ["C", "W"]) for a in ATTRIBUTES)
        moving = {ATTRIBUTES[row[ATTRIBUTE]].name: row[WIDTH] for row in self._packed.targets}
        self._moving = [a.name in moving for a in ATTRIBUTES]
        self._partly = [  # the last columns stay canonical
            i for i, a in enumerate(ATTRIBUTES) if moving.get(a.name, 0) not in (0, a.width)
        ]
        # In a network of one layer neither the shares nor the input depend on the frame.
        attention = self._layers[-1][0]
        shares = attention.hand_over() if isinstance(attention, FusedEsaa) else None
        self._shares = None if shares is None else to_lanes(shares)
        self._lanes = to_lanes(self._centred, HEIGHT) if len(self._layers) == 1 else None
        self._scratch = _Scratch()

    def deform_raw(self, code: Float32, eye: float, pose: Float32, strength: float) -> Gaussians:
        canonical, packed = self._canonical, self._packed
        # Frozen attributes are passed, too, so that the compiled types are always the same.
        moved = tuple(
            np.empty_like(values) if moves else values
            for values, moves in zip(canonical, self._moving, strict=True)
        )
        if any(self._moving):
            lanes, agents, values = self._last(code, eye, pose)
            flat_values = pack(values)

            def work(rows: slice) -> None:
                for i in self._partly:
                    moved[i][rows] = canonical[i][rows]
                deform_rows(
                    rows.start, *lanes(rows), agents, flat_values, packed.pool, packed.products,
                    self._norm, packed.floor, packed.kan, packed.targets, strength, canonical,
                    moved, self._own_scratch(len(values)),
                )  # fmt: skip

            self._gemm.for_each(work, row_slices(len(self._centred), SLICE))
        return gaussians_of({a.name: values for a, values in zip(ATTRIBUTES, moved, strict=True)})

    def _last(
        self, code: Float32, eye: float, pose: Float32
    ) -> tuple[Callable[[slice], tuple[Float32, Float32]], Float32, Float32]:
        """Arguments of `deform_rows`: rows -> their shares and centred input; the agents' mix,
        packed; the values."""
        tokens, x, centred = self._before_last(code, eye, pose)
        attention, lanes = self._layers[-1][0], self._lanes

        def centred_lanes(rows: slice) -> Float32:
            return to_lanes(centred[rows], HEIGHT) if lanes is None else lanes[blocks_of(rows)]

        shares = self._shares
        if shares is not None and isinstance(attention, FusedEsaa):
            mix, values = attention.agent_mix(tokens, x)
            return (
                lambda rows: (shares[blocks_of(rows)], centred_lanes(rows)),
                pack_agents(mix),
                values,
            )
        mix_of, values = attention.frame(tokens, x)
        no_agents = np.empty(0, np.float32)
        return lambda rows: (to_lanes(mix_of(rows)), centred_lanes(rows)), no_agents, values

    def _own_scratch(self, mixed: int) -> Float32:
        """This thread's scratch memory: a new array would cost page faults in every frame."""
        if self._scratch.values is None:
            count = scratch_floats(self._norm.shape[1], mixed, self._packed.products)
            self._scratch.values = aligned(count)
        return self._scratch.values


def warm_up() -> None:
    """Compile, or load from the cache, what a frame calls: the same functions for every kind of
    network and every frozen attribute. Runs on one Gaussian of zeros."""

    def zeros(*shape: int) -> Float32:
        return np.zeros(shape, np.float32)

    dim = HEIGHT
    layer = FeedForward(
        zeros(dim, dim), zeros(dim), zeros(2 * dim, dim), zeros(dim), zeros(dim), zeros(dim)
    )
    heads = [
        Head(attribute, zeros(dim, dim), zeros(dim), zeros(dim, width), zeros(width))
        for attribute, width in WIDTHS.items()
    ]
    packed = pack_heads(layer, heads)
    canonical = tuple(zeros(1, width) for width in WIDTHS.values())
    deform_rows(
        0, to_lanes(zeros(1, 4)), to_lanes(zeros(1, dim)), zeros(0), pack(zeros(4, dim)),
        packed.pool, packed.products, zeros(3, dim), packed.floor, packed.kan, packed.targets, 1.0,
        canonical, canonical, aligned(scratch_floats(dim, 4, packed.products)),
    )  # fmt: skip
