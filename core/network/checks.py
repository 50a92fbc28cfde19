"""Checks that every tensor is there, finite and of the right shape; an error names the tensor."""

from __future__ import annotations

import numpy as np

from ..errors import CheckpointError
from ..records.gaussians import WIDTHS, Gaussians
from ..records.weights import NetworkWeights
from .architecture import DECODED, KINDS, architecture_named, architecture_of
from .names import (
    DECODER,
    ENCODER,
    EYE_FREQUENCIES,
    HASH_LEVELS,
    HASH_TABLE,
    HEADS,
    POSE_MEAN,
    POSE_SCALE,
    PPE,
    STATIC_HEADS,
    TOKEN_MLPS,
    attention_name,
    grid_name,
    kan_names,
    layer_prefix,
    linear_names,
)
from .numpy.audio_net import CODE, WINDOWS
from .numpy.basics import Arrays
from .numpy.hash_grid import MAX_LEVELS, MAX_SIDE, Level, levels_of

Shape = tuple[int | None, ...]  # None: any size of at least 1

_TOKEN_INPUTS = {"audio_mlp": CODE, "eye_mlp": 32, "cam_mlp": 12}
_ENCODER = ((0, 32, None), (2, 32, 32), (4, 64, 32), (6, 64, 64))
_MIXER = ((0, 16, 32), (2, 8, 16), (4, 4, 8), (6, 2, 4), (8, 1, 2))


def check_weights(weights: NetworkWeights, gaussians: Gaussians | None = None) -> None:
    """Raises CheckpointError unless the network can run on these arrays: every tensor that
    inference reads is there, float32, finite, and its shape fits the others. Sizes that official
    configurations vary (sound features, plane resolutions, hidden widths, layers) are read from
    the arrays."""
    if weights.kind not in KINDS:
        raise CheckpointError(f"network kind {weights.kind!r} is not one of {', '.join(KINDS)}")
    for name, shape in expected_shapes(weights.kind, weights.arrays).items():
        _check(weights.arrays, name, shape)
    aabb = weights.arrays["tri_plane.grid.aabb"]
    if not (aabb[0] != aabb[1]).all():
        raise CheckpointError("tri_plane.grid.aabb has no extent along an axis; export it again")
    dim = weights.arrays["null_vector"].size
    heads = architecture_of(weights).heads
    if heads < 1 or dim % heads:
        raise CheckpointError(f"n_head is {heads}, which does not divide the {dim} channels")
    if weights.agents < 1:
        raise CheckpointError(f"agent_num is {weights.agents}; at least 1 is needed")
    unknown = weights.frozen - WIDTHS.keys()
    if unknown:
        raise CheckpointError(f"frozen attribute {min(unknown)!r} is not one the network moves")
    if gaussians is not None and len(gaussians) == 0:
        raise CheckpointError("there are no Gaussians for the network to move")


def expected_shapes(kind: str, arrays: Arrays) -> dict[str, Shape]:
    """Name -> shape of every tensor of inference, and of the coarse heads if all are present.
    Raises CheckpointError if no sizes can be read (no tri-plane, no layer, no head)."""
    architecture = architecture_named(kind, arrays)
    levels, layers = architecture.levels, architecture.layers
    if not levels and not architecture.hashed:
        raise CheckpointError(f"{grid_name(0, 0)} is missing: these weights have no tri-plane")
    if not layers:
        raise CheckpointError(f"{layer_prefix(0)}norm1.gamma is missing: there is no transformer")
    shapes: dict[str, Shape] = {"tri_plane.grid.aabb": (2, 3)}
    if architecture.hashed:
        hashed = _checked_levels(arrays)
        width = _size(arrays, HASH_TABLE, 1, 2)
        shapes[HASH_LEVELS] = (len(hashed), 2)
        shapes[HASH_TABLE] = (3 * sum(level.rows for level in hashed), width)
        features, dim = len(hashed) * width, _size(arrays, "null_vector", 2, 3)
    else:
        channels = _size(arrays, grid_name(0, 0), 1, 4)
        features = dim = levels * channels
        for level in range(levels):
            for plane in range(3):
                shapes[grid_name(level, plane)] = (1, channels, None, None)
    shapes["null_vector"] = (1, 1, dim)

    def linear(name: str, out: int, inputs: int | None, *taps: int) -> None:
        weight, bias = linear_names(name)
        shapes[weight], shapes[bias] = (out, inputs, *taps), (out,)

    for i, out, inputs in _ENCODER:
        linear(f"audio_net.encoder_conv.{i}", out, inputs, 3)
    linear("audio_net.encoder_fc1.0", 64, 64)
    linear("audio_net.encoder_fc1.2", CODE, 64)
    for i, out, inputs in _MIXER:
        linear(f"audio_att_net.attentionConvNet.{i}", out, inputs, 3)
    linear("audio_att_net.attentionNet.0", WINDOWS, WINDOWS)

    def kan(name: str, out: int, inputs: int) -> None:
        base, taylor, bias = kan_names(name)
        shapes[base], shapes[taylor], shapes[bias] = (out, inputs), (out, inputs, 3), (out,)

    weight = "base_weight" if architecture.kan else "weight"
    dense = kan if architecture.kan else linear
    for mlp in TOKEN_MLPS:
        hidden = _size(arrays, f"{mlp}.net.0.{weight}", 0, 2)
        for i, (out, inputs) in enumerate(((hidden, _TOKEN_INPUTS[mlp]), (dim, hidden))):
            if architecture.kan:
                kan(f"{mlp}.net.{i}", out, inputs)
            else:
                shapes[f"{mlp}.net.{i}.weight"] = (out, inputs)
    if architecture.encoder:
        dense(ENCODER, dim, features)
    if architecture.decoder:
        width = _size(arrays, f"{DECODER[0]}.{weight}", 0, 2)
        dense(DECODER[0], width, dim)
        dense(DECODER[1], DECODED, width)
    if architecture.constants:
        shapes |= {PPE: (WINDOWS, CODE), POSE_MEAN: (12,), POSE_SCALE: (12,)}
        shapes[EYE_FREQUENCIES] = (16,)
    for layer in range(layers):
        prefix = layer_prefix(layer)
        hidden = _size(arrays, f"{prefix}ffn.linear1.weight", 0, 2)
        for name in architecture.attention_layers:
            linear(f"{attention_name(layer)}{name}", dim, dim)
        for norm in ("norm1", "norm2"):
            shapes[f"{prefix}{norm}.gamma"] = shapes[f"{prefix}{norm}.beta"] = (dim,)
        linear(f"{prefix}ffn.linear1", hidden, dim)
        linear(f"{prefix}ffn.linear2", dim, hidden)
    for head, (_, width) in () if architecture.decoder else HEADS.items():
        hidden = _size(arrays, f"{head}.1.weight", 0, 2)
        linear(f"{head}.1", hidden, dim)
        linear(f"{head}.3", width, hidden)
    if architecture.static:
        wide = _size(arrays, "tri_plane.feature_out.0.weight", 0, 2)
        linear("tri_plane.feature_out.0", wide, dim)
        linear("tri_plane.feature_out.2", wide, wide)
        for head, width in STATIC_HEADS.items():
            linear(f"tri_plane.{head}.1", wide, wide)
            linear(f"tri_plane.{head}.3", width, wide)
    return shapes


def _checked_levels(arrays: Arrays) -> list[Level]:
    """The levels of a hashed tri-plane, if their sides and rows are possible."""
    _check(arrays, HASH_LEVELS, (None, 2))
    values = arrays[HASH_LEVELS]
    if len(values) > MAX_LEVELS:
        raise CheckpointError(f"{HASH_LEVELS} has {len(values)} levels; at most {MAX_LEVELS}")
    for side, rows in values:
        whole = side == int(side) and rows == int(rows)
        dense = rows == side * side
        hashed = 0 < rows < side * side and int(rows) & (int(rows) - 1) == 0
        if not (whole and 2 <= side <= MAX_SIDE and (dense or hashed)):
            raise CheckpointError(
                f"{HASH_LEVELS} has a level of side {side:g} with {rows:g} rows; a side is 2 to "
                f"{MAX_SIDE}, rows are its square or a smaller power of two"
            )
    return levels_of(values)


def _size(arrays: Arrays, name: str, axis: int, dimensions: int) -> int:
    _check(arrays, name, (None,) * dimensions)
    return int(arrays[name].shape[axis])


def _check(arrays: Arrays, name: str, shape: Shape) -> None:
    if name not in arrays:
        raise CheckpointError(f"{name} is missing from the network's weights; export them again")
    array = arrays[name]
    fits = len(array.shape) == len(shape) and all(
        size == wanted or (wanted is None and size > 0)
        for size, wanted in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted_text = " x ".join("any" if size is None else str(size) for size in shape)
        raise CheckpointError(f"{name} has shape {tuple(array.shape)}, expected {wanted_text}")
    if array.dtype != np.float32:
        raise CheckpointError(f"{name} is {array.dtype}, expected float32")
    if not np.isfinite(array).all():
        raise CheckpointError(f"{name} holds values that are not finite; train or export it again")
