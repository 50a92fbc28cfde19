"""Initial weights for training, for each kind of network."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float32
from ..records.weights import NetworkWeights
from .architecture import DECODED, KINDS, Architecture
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
    layer_prefix,
)
from .numpy.audio_net import CODE, WINDOWS
from .numpy.hash_grid import levels_of, new_levels
from .numpy.tokens import positions

CHANNELS, LEVELS = 32, 2
DIM = CHANNELS * LEVELS
HEAD_WIDTH = 128  # hidden values of an official head
MULTI_HEADS = 2  # of an attention without ESAA
OWN, OWN_BIAS = 4, 4.0  # the frame's own window of the eight, and its logit; the others' are 0
# Low frequencies for the eye code. The official ones oscillate a thousand times between open and
# shut, so that two nearly equal closures have unrelated codes (docs/method.md §3.5).
SLOW = np.linspace(0.2, 3.2, 16)


@dataclass(frozen=True, eq=False)
class NetworkPlan:
    """kind: a key of `architecture.KINDS`. audio_dim: sound features a step. low, high (3,): the
    bounding box of the canonical Gaussians, decimetres. poses (F, 12): the head poses in training.
    resolution: of the coarser dense tri-plane level; hash levels go from a quarter of it to four
    times it. agents: of ESAA. hidden, decoder: widths of the feed-forward layer and of the decoder.
    kan, esaa, ppe, hashed: False leaves that part of a "paper" network out. hash_levels,
    hash_features, hash_rows: levels, features of each, and its rows at most (docs/method.md §3.2
    has the measurements behind these numbers)."""

    kind: str
    audio_dim: int
    low: NDArray[np.floating]
    high: NDArray[np.floating]
    poses: NDArray[np.floating]
    resolution: int = 64
    agents: int = 200
    hidden: int = 128
    decoder: int = 48
    kan: bool = True
    esaa: bool = True
    ppe: bool = True
    hashed: bool = True
    hash_levels: int = 8
    hash_features: int = 8
    hash_rows: int = 4096


def new_weights(plan: NetworkPlan, seed: int) -> NetworkWeights:
    """Random weights whose decoder moves the Gaussians very little. Same arguments, same bits."""
    make = _Maker(np.random.default_rng(seed))
    architecture = KINDS[plan.kind]
    if architecture.optional:
        architecture = replace(architecture, kan=plan.kan, esaa=plan.esaa, hashed=plan.hashed)
    make.normal("null_vector", (1, 1, DIM), 1.0)
    make.arrays["tri_plane.grid.aabb"] = np.stack([plan.high, plan.low]).astype(np.float32)
    features = _tri_plane(make, plan, architecture)
    _sound(make, plan.audio_dim)
    for mlp, width in zip(TOKEN_MLPS, (CODE, 32, 12), strict=True):
        for i, inputs in enumerate((width, DIM)):
            if architecture.kan:
                make.kan(f"{mlp}.net.{i}", DIM, inputs, gain=architecture.token_gain)
            else:
                make.uniform(f"{mlp}.net.{i}.weight", (DIM, inputs), *_span(inputs, DIM))
    prefix = layer_prefix(0)
    for name in architecture.attention_layers:
        make.linear(f"{attention_name(0)}{name}", DIM, DIM)
    for norm in ("norm1", "norm2"):
        make.arrays[f"{prefix}{norm}.gamma"] = np.ones(DIM, np.float32)
        make.arrays[f"{prefix}{norm}.beta"] = np.zeros(DIM, np.float32)
    make.linear(f"{prefix}ffn.linear1", plan.hidden, DIM)
    make.linear(f"{prefix}ffn.linear2", DIM, plan.hidden)
    dense = make.kan if architecture.kan else make.linear
    if architecture.encoder:
        dense(ENCODER, DIM, features)
    if architecture.decoder:
        dense(DECODER[0], plan.decoder, DIM)
        dense(DECODER[1], DECODED, plan.decoder, gain=0.02)
    else:
        _heads(make)
    if architecture.constants:
        make.arrays |= _constants(plan)
    if architecture.static:
        _static_heads(make)
    heads = None if architecture.esaa else MULTI_HEADS
    return NetworkWeights(plan.kind, make.arrays, agents=plan.agents, heads=heads)


def _tri_plane(make: _Maker, plan: NetworkPlan, architecture: Architecture) -> int:
    """Add the tri-plane; returns how many features it gives."""
    if architecture.hashed:
        coarsest, finest = max(2, plan.resolution // 4), plan.resolution * 4
        levels = new_levels(plan.hash_levels, coarsest, finest, plan.hash_rows)
        count = 3 * sum(level.rows for level in levels_of(levels))
        make.arrays[HASH_LEVELS] = levels
        make.uniform(HASH_TABLE, (count, plan.hash_features), *architecture.planes)
        return plan.hash_levels * plan.hash_features
    for level in range(LEVELS):
        side = plan.resolution * 2**level
        for plane in range(3):
            make.uniform(grid_name(level, plane), (1, CHANNELS, side, side), *architecture.planes)
    return DIM


def _heads(make: _Maker) -> None:
    for head, (_, width) in HEADS.items():
        make.linear(f"{head}.1", HEAD_WIDTH, DIM)
        make.linear(f"{head}.3", width, HEAD_WIDTH, gain=0.1)


def _static_heads(make: _Maker) -> None:
    make.linear("tri_plane.feature_out.0", HEAD_WIDTH, DIM)
    make.linear("tri_plane.feature_out.2", HEAD_WIDTH, HEAD_WIDTH)
    for head, width in STATIC_HEADS.items():
        make.linear(f"tri_plane.{head}.1", HEAD_WIDTH, HEAD_WIDTH)
        make.linear(f"tri_plane.{head}.3", width, HEAD_WIDTH, gain=0.1)


def _sound(make: _Maker, audio_dim: int) -> None:
    """Each layer keeps the variance of its input (He): with less, the signal that reaches the
    Gaussians is so weak that hundreds of steps pass before a mouth moves."""
    for i, (out, inputs) in enumerate(((32, audio_dim), (32, 32), (64, 32), (64, 64))):
        make.he(f"audio_net.encoder_conv.{2 * i}", out, inputs, 3)
    make.he("audio_net.encoder_fc1.0", 64, 64)
    make.he("audio_net.encoder_fc1.2", CODE, 64)
    for i, (out, inputs) in enumerate(((16, 32), (8, 16), (4, 8), (2, 4), (1, 2))):
        make.he(f"audio_att_net.attentionConvNet.{2 * i}", out, inputs, 3)
    make.linear("audio_att_net.attentionNet.0", WINDOWS, WINDOWS)
    # The frame's own window first; training adds its neighbours where they help.
    make.arrays["audio_att_net.attentionNet.0.bias"][OWN] = OWN_BIAS


def _constants(plan: NetworkPlan) -> dict[str, Float32]:
    times = positions(WINDOWS, CODE) if plan.ppe else np.zeros((WINDOWS, CODE), np.float32)
    poses = np.asarray(plan.poses, np.float64)
    deviation = poses.std(axis=0)
    # A pose value that hardly varies in training must not be amplified.
    scale = np.where(deviation > 1e-3, 1 / np.maximum(deviation, 1e-3), 0)
    return {
        PPE: times,
        POSE_MEAN: poses.mean(axis=0).astype(np.float32),
        POSE_SCALE: scale.astype(np.float32),
        EYE_FREQUENCIES: SLOW.astype(np.float32),
    }


def _span(inputs: int, outputs: int, gain: float = 1.0) -> tuple[float, float]:
    """Xavier's uniform distribution."""
    limit = gain * np.sqrt(6 / (inputs + outputs))
    return -limit, limit


class _Maker:
    """Arrays drawn from one generator, in the order of the calls."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.arrays: dict[str, Float32] = {}

    def normal(self, name: str, shape: tuple[int, ...], deviation: float) -> None:
        self.arrays[name] = (deviation * self.rng.normal(size=shape)).astype(np.float32)

    def uniform(self, name: str, shape: tuple[int, ...], low: float, high: float) -> None:
        self.arrays[name] = self.rng.uniform(low, high, shape).astype(np.float32)

    def linear(self, name: str, out: int, inputs: int, taps: int = 1, gain: float = 1.0) -> None:
        shape = (out, inputs) if taps == 1 else (out, inputs, taps)
        self.uniform(f"{name}.weight", shape, *_span(inputs * taps, out * taps, gain))
        self.arrays[f"{name}.bias"] = np.zeros(out, np.float32)

    def he(self, name: str, out: int, inputs: int, taps: int = 1) -> None:
        shape = (out, inputs) if taps == 1 else (out, inputs, taps)
        limit = float(np.sqrt(6 / (inputs * taps)))
        self.uniform(f"{name}.weight", shape, -limit, limit)
        self.arrays[f"{name}.bias"] = np.zeros(out, np.float32)

    def kan(self, name: str, out: int, inputs: int, gain: float = 1.0) -> None:
        """Initialised as the official TaylorKAN (§3.6)."""
        limit = gain / np.sqrt(inputs)
        self.uniform(f"{name}.base_weight", (out, inputs), -limit, limit)
        self.normal(f"{name}.taylor_coeffs", (out, inputs, 3), gain / (inputs * np.sqrt(3)))
        self.uniform(f"{name}.bias", (out,), -limit, limit)
