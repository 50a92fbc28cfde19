"""The weights of the last layer and of the decoders as `layers.deform_rows` reads them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...records.arrays import Float32
from ...records.gaussians import ATTRIBUTES
from ..architecture import COLUMNS as DECODED_COLUMNS
from ..numpy.folded import Decoder, FeedForward, Head, Heads
from .layers import COLUMNS, TARGET_COLUMNS, Int64
from .tiles import HEIGHT, LANES

_PLACES = {attribute.name: place for place, attribute in enumerate(ATTRIBUTES)}


@dataclass(frozen=True, eq=False)
class Packed:
    """See `deform_rows`."""

    pool: Float32
    products: Int64
    floor: float
    kan: bool
    targets: Int64


def pack_decoding(layer: FeedForward, decoder: Heads | Decoder) -> Packed:
    if isinstance(decoder, Decoder):
        return pack_decoder(layer, decoder)
    return pack_heads(layer, decoder.heads)


def pack_heads(layer: FeedForward, heads: list[Head]) -> Packed:
    pairs = []
    targets = []
    for i, head in enumerate(heads):
        pairs += [(head.inner, head.inner_bias), (head.outer, head.outer_bias)]
        targets.append((i, _PLACES[head.attribute], 0, len(head.outer_bias)))
    return _packed(layer, pairs, 0.0, False, targets)


def pack_decoder(layer: FeedForward, decoder: Decoder) -> Packed:
    pairs = [
        (_powers_first(matrix).T if decoder.kan else matrix.T, bias)
        for matrix, bias in decoder.layers
    ]
    columns = {attribute: DECODED_COLUMNS[attribute] for attribute in decoder.attributes}
    targets = [
        (0, _PLACES[attribute], own.start, own.stop - own.start)
        for attribute, own in columns.items()
    ]
    return _packed(layer, pairs, -np.inf, decoder.kan, targets)


def pack(matrix: Float32) -> Float32:
    """(inputs, outputs) -> flat: tile after tile of HEIGHT outputs, padded with 0."""
    inputs, outputs = matrix.shape
    tiles = -(-outputs // HEIGHT)
    full = np.zeros((inputs, tiles * HEIGHT), np.float32)
    full[:, :outputs] = matrix
    return full.reshape(inputs, tiles, HEIGHT).swapaxes(0, 1).reshape(-1)


def pack_agents(mix: Float32) -> Float32:
    """The agents' mix (agents, T) -> flat, and the zeros that stand for a bias."""
    return np.concatenate([pack(mix), np.zeros(HEIGHT, np.float32)])


def to_lanes(rows: Float32, height: int = 1) -> Float32:
    """rows (n, W) -> (blocks, W, LANES), a lane for each Gaussian; W is padded to a multiple of
    `height` and n to one of LANES, with 0."""
    n, width = rows.shape
    whole = n // LANES
    out = np.zeros((-(-n // LANES), -(-width // height) * height, LANES), np.float32)
    out[:whole, :width] = rows[: whole * LANES].reshape(whole, LANES, width).swapaxes(1, 2)
    out[whole:, :width, : n % LANES] = rows[whole * LANES :].T
    return out


def blocks_of(rows: slice) -> slice:
    """The blocks of those rows, which start at a block."""
    return slice(rows.start // LANES, -(-rows.stop // LANES))


def _powers_first(matrix: Float32) -> Float32:
    """A folded KAN's [base | C1 | C2] (O, 3 I) as [C1 | C2 | base]: the loop has x in place."""
    return np.roll(matrix, -(matrix.shape[1] // 3), axis=1)


def _packed(
    layer: FeedForward,
    decoders: list[tuple[Float32, Float32]],
    floor: float,
    kan: bool,
    targets: list[tuple[int, int, int, int]],
) -> Packed:
    """All weights and biases in one array, and the table of products with their offsets."""
    width = layer.inner.shape[0]
    # Of [z | hidden] only hidden is multiplied: the matrix of z is diagonal before it is centred.
    pairs = [(layer.inner, layer.inner_bias), (layer.outer[width:], layer.outer_bias), *decoders]
    parts: list[Float32] = []
    table = np.zeros((len(pairs), COLUMNS), np.int64)
    at = 0
    for row, (matrix, bias) in enumerate(pairs):
        weights, biases = pack(matrix), pack(bias[None])
        table[row] = at, at + len(weights), *matrix.shape
        parts += [weights, biases]
        at += len(weights) + len(biases)
    wanted = np.array(targets, np.int64).reshape(-1, TARGET_COLUMNS)
    return Packed(np.concatenate(parts), table, floor, kan, wanted)
