"""New weights, as a training begins with them, for each kind of network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..records.weights import EGSTALKER, PAPER, NetworkWeights
from .names import (
    DECODER,
    ENCODER,
    EYE_FREQUENCIES,
    HEADS,
    POSE_MEAN,
    POSE_SCALE,
    PPE,
    STATIC_HEADS,
    TOKEN_MLPS,
    grid_name,
    layer_prefix,
)
from .numpy.audio_net import CODE, WINDOWS
from .numpy.basics import Float32
from .numpy.tokens import positions
from .paper import WIDTH

CHANNELS, LEVELS = 32, 2
DIM = CHANNELS * LEVELS
OWN, OWN_BIAS = 4, 4.0  # the frame's own window of the eight, and its logit beside zeros
# Slow waves of the eye's closure. The official ones turn a thousand times on the way from open to
# shut, so that two nearly equal closures mean two unrelated things (docs/method.md §3.5).
SLOW = np.linspace(0.2, 3.2, 16)


@dataclass(frozen=True, eq=False)
class NetworkPlan:
    """kind: "paper" or "egstalker". audio_dim: sound values a step. low, high (3,): the box of the
    canonical Gaussians, decimetres. poses (F, 12): the head poses of the training. resolution: of
    the coarser tri-plane level. agents: of ESAA. hidden: width of the feed-forward layer, decoder:
    of the decoder. kan, esaa, ppe: False leaves that part of a "paper" network out."""

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


def new_weights(plan: NetworkPlan, seed: int) -> NetworkWeights:
    """Random weights whose decoder moves next to nothing yet. Same arguments, same bits."""
    make = _Maker(np.random.default_rng(seed))
    paper = plan.kind == PAPER
    kan, esaa = (plan.kan, plan.esaa) if paper else (True, True)
    make.normal("null_vector", (1, 1, DIM), 1.0)
    make.arrays["tri_plane.grid.aabb"] = np.stack([plan.high, plan.low]).astype(np.float32)
    # Products around 1 that differ from place to place: planes nearly alike hear no sound at first.
    low, high = (0.6, 1.4) if paper else (0.1, 0.5)
    for level in range(LEVELS):
        side = plan.resolution * 2**level
        for plane in range(3):
            make.uniform(grid_name(level, plane), (1, CHANNELS, side, side), low, high)
    _sound(make, plan.audio_dim)
    for mlp, width in zip(TOKEN_MLPS, (CODE, 32, 12), strict=True):
        for i, inputs in enumerate((width, DIM)):
            if kan:
                make.kan(f"{mlp}.net.{i}", DIM, inputs, gain=2.0 if paper else 1.0)
            else:
                make.uniform(f"{mlp}.net.{i}.weight", (DIM, inputs), *_span(inputs, DIM))
    prefix = layer_prefix(0)
    for name in ("agent_linear",) if esaa else ("w_q", "w_k", "w_v", "w_concat"):
        make.linear(f"{prefix}enc_dec_attention.{name}", DIM, DIM)
    for norm in ("norm1", "norm2"):
        make.arrays[f"{prefix}{norm}.gamma"] = np.ones(DIM, np.float32)
        make.arrays[f"{prefix}{norm}.beta"] = np.zeros(DIM, np.float32)
    make.linear(f"{prefix}ffn.linear1", plan.hidden, DIM)
    make.linear(f"{prefix}ffn.linear2", DIM, plan.hidden)
    if paper:
        _paper(make, plan)
        heads = None if esaa else 2
        return NetworkWeights(PAPER, make.arrays, agents=plan.agents, heads=heads)
    for head, (_, width) in HEADS.items():
        make.linear(f"{head}.1", 128, DIM)
        make.linear(f"{head}.3", width, 128, gain=0.1)
    make.linear("tri_plane.feature_out.0", 128, DIM)
    make.linear("tri_plane.feature_out.2", 128, 128)
    for head, width in STATIC_HEADS.items():
        make.linear(f"tri_plane.{head}.1", 128, 128)
        make.linear(f"tri_plane.{head}.3", width, 128, gain=0.1)
    return NetworkWeights(EGSTALKER, make.arrays, agents=plan.agents)


def _sound(make: _Maker, audio_dim: int) -> None:
    """Each layer passes on as much as it gets (He): with less, the sound reaches the Gaussians so
    faintly that hundreds of steps pass before a mouth moves."""
    for i, (out, inputs) in enumerate(((32, audio_dim), (32, 32), (64, 32), (64, 64))):
        make.he(f"audio_net.encoder_conv.{2 * i}", out, inputs, 3)
    make.he("audio_net.encoder_fc1.0", 64, 64)
    make.he("audio_net.encoder_fc1.2", CODE, 64)
    for i, (out, inputs) in enumerate(((16, 32), (8, 16), (4, 8), (2, 4), (1, 2))):
        make.he(f"audio_att_net.attentionConvNet.{2 * i}", out, inputs, 3)
    make.linear("audio_att_net.attentionNet.0", WINDOWS, WINDOWS)
    # The frame's own window first; its neighbours are taken in as they prove useful.
    make.arrays["audio_att_net.attentionNet.0.bias"][OWN] = OWN_BIAS


def _paper(make: _Maker, plan: NetworkPlan) -> None:
    if plan.kan:
        make.kan(ENCODER, DIM, DIM)
        make.kan(DECODER[0], plan.decoder, DIM)
        make.kan(DECODER[1], WIDTH, plan.decoder, gain=0.02)
    else:
        make.linear(ENCODER, DIM, DIM)
        make.linear(DECODER[0], plan.decoder, DIM)
        make.linear(DECODER[1], WIDTH, plan.decoder, gain=0.02)
    times = positions(WINDOWS, CODE) if plan.ppe else np.zeros((WINDOWS, CODE), np.float32)
    poses = np.asarray(plan.poses, np.float64)
    deviation = poses.std(axis=0)
    # What hardly moves in the training must not be heard as if it did.
    scale = np.where(deviation > 1e-3, 1 / np.maximum(deviation, 1e-3), 0)
    make.arrays |= {
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
        """As the official TaylorKAN begins (§3.6)."""
        limit = gain / np.sqrt(inputs)
        self.uniform(f"{name}.base_weight", (out, inputs), -limit, limit)
        self.normal(f"{name}.taylor_coeffs", (out, inputs, 3), gain / (inputs * np.sqrt(3)))
        self.uniform(f"{name}.bias", (out,), -limit, limit)
