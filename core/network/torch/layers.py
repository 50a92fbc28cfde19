"""The layers of core/network/numpy in torch: the same names and formulas, for a batch of B frames,
differentiable. `p`: official names to tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from ..names import (
    DECODER,
    ENCODER,
    EYE_FREQUENCIES,
    HASH_LEVELS,
    HASH_TABLE,
    POSE_LIMIT,
    POSE_MEAN,
    POSE_SCALE,
    PPE,
    STATIC_HEADS,
    attention_name,
    grid_name,
    is_kan,
    layer_prefix,
    level_count,
)
from ..numpy.tokens import OFFICIAL_FREQUENCIES, positions
from ..numpy.triplane import GRID_CENTRE, PLANES
from . import hash_grid

Parameters = Mapping[str, Tensor]


def linear(p: Parameters, name: str, x: Tensor) -> Tensor:
    return F.linear(x, p[f"{name}.weight"], p[f"{name}.bias"])


def conv1d(p: Parameters, name: str, x: Tensor, stride: int) -> Tensor:
    """x (B, C, L) -> (B, O, ceil(L / stride)). As a matrix product: cuDNN's convolutions would use
    TF32 by default, a thousand times less exact (docs/method.md §3.12)."""
    weight = p[f"{name}.weight"]
    taps = F.pad(x, (1, 1)).unfold(2, 3, stride)  # (B, C, L', 3)
    out = taps.permute(0, 2, 1, 3).flatten(2) @ weight.flatten(1).T + p[f"{name}.bias"]
    return out.transpose(1, 2)


def features(p: Parameters, means: Tensor) -> Tensor:
    """means (N, 3) -> X (N, levels * C)."""
    high, low = p["tri_plane.grid.aabb"]
    points = (means - high) * (2 / (low - high)) - 1
    if HASH_LEVELS in p:
        return hash_grid.features(p[HASH_TABLE], p[HASH_LEVELS], points)
    levels = []
    for level in range(level_count(p)):
        product: Tensor | None = None
        for plane, (a, b) in enumerate(PLANES):
            # One row of N: as N rows of one, torch's CPU kernel takes many times as long.
            grid = torch.stack([points[:, a], points[:, b]], dim=1)[None, None]
            sampled = F.grid_sample(
                p[grid_name(level, plane)], grid, padding_mode="border", align_corners=True
            )[0, :, 0].T
            product = sampled if product is None else product * sampled
        assert product is not None
        levels.append(product)
    return torch.cat(levels, dim=1)


def encode_audio(p: Parameters, windows: Tensor) -> Tensor:
    """windows (B, 8, D, W) -> codes (B, 32)."""
    batch, count = windows.shape[:2]
    x = windows.flatten(0, 1)
    for i in (0, 2, 4, 6):
        x = F.leaky_relu(conv1d(p, f"audio_net.encoder_conv.{i}", x, 2), 0.02)
    x = F.leaky_relu(linear(p, "audio_net.encoder_fc1.0", x[:, :, 0]), 0.02)
    codes = linear(p, "audio_net.encoder_fc1.2", x).reshape(batch, count, -1)
    if PPE in p:
        codes = codes + p[PPE]
    y = codes.transpose(1, 2)
    for i in (0, 2, 4, 6, 8):
        y = F.leaky_relu(conv1d(p, f"audio_att_net.attentionConvNet.{i}", y, 1), 0.02)
    weights = linear(p, "audio_att_net.attentionNet.0", y[:, 0]).softmax(dim=1)
    return (weights[:, None] @ codes)[:, 0]


def eye_code(eyes: Tensor, frequencies: Tensor) -> Tensor:
    """eyes (B,) closure and frequencies (16,), float64 -> (B, 32) float32."""
    phase = eyes[:, None] * frequencies
    return torch.stack([phase.sin(), phase.cos()], dim=2).flatten(1).float()


def eye_frequencies(p: Parameters) -> Tensor:
    """(16,) float64: the network's own, or the official ones."""
    own = p.get(EYE_FREQUENCIES)
    if own is not None:
        return own.double()
    official = torch.tensor(OFFICIAL_FREQUENCIES.tolist(), dtype=torch.float64)
    return official.to(p["null_vector"].device)


def kan_layer(p: Parameters, name: str, x: Tensor) -> Tensor:
    """TaylorKAN: x (B, I) -> (B, O)."""
    powers = torch.stack([torch.ones_like(x), x, x * x], dim=2)  # (B, I, 3)
    taylor = powers.flatten(1) @ p[f"{name}.taylor_coeffs"].flatten(1).T
    return F.linear(F.silu(x), p[f"{name}.base_weight"]) + taylor + p[f"{name}.bias"]


def kan_rows(p: Parameters, name: str, x: Tensor) -> Tensor:
    """`kan_layer` as one product, its power 0 being a bias: x (..., I) -> (..., O)."""
    taylor = p[f"{name}.taylor_coeffs"]
    matrix = torch.cat([p[f"{name}.base_weight"], taylor[..., 1], taylor[..., 2]], dim=1)
    bias = taylor[..., 0].sum(dim=1) + p[f"{name}.bias"]
    return F.linear(torch.cat([F.silu(x), x, x * x], dim=-1), matrix, bias)


def dense(p: Parameters, name: str, x: Tensor) -> Tensor:
    """x (..., I) -> (..., O), by the layer of that name, TaylorKAN or linear."""
    return kan_rows(p, name, x) if is_kan(p, name) else linear(p, name, x)


def encoded(p: Parameters, means: Tensor) -> Tensor:
    """means (N, 3) -> X (N, 64), through the encoder that a "paper" network has."""
    return dense(p, ENCODER, features(p, means) - float(GRID_CENTRE))


def decoded(p: Parameters, hidden: Tensor) -> Tensor:
    """hidden (B, N, 64) -> (B, N, 14), see architecture.COLUMNS."""
    x = dense(p, DECODER[0], hidden)
    return dense(p, DECODER[1], x.tanh() if is_kan(p, DECODER[0]) else x.relu())


def token_mlp(p: Parameters, name: str, x: Tensor) -> Tensor:
    first, second = f"{name}.net.0", f"{name}.net.1"
    if is_kan(p, first):
        return kan_layer(p, second, F.relu(kan_layer(p, first, x)))
    return F.linear(F.relu(F.linear(x, p[f"{first}.weight"])), p[f"{second}.weight"])


def tokens(
    p: Parameters, codes: Tensor, eyes: Tensor, poses: Tensor, frequencies: Tensor | None = None
) -> Tensor:
    """codes (B, 32), eyes (B,) float64, poses (B, 12) -> (B, 4, 64). frequencies: `eye_frequencies`
    that are on the device already."""
    if POSE_MEAN in p:
        standard = (poses - p[POSE_MEAN]) * p[POSE_SCALE]
        poses = standard.clamp(-POSE_LIMIT, POSE_LIMIT)
    audio = token_mlp(p, "audio_mlp", codes)
    wave = eye_code(eyes, eye_frequencies(p) if frequencies is None else frequencies)
    eye = token_mlp(p, "eye_mlp", wave.to(codes.dtype))
    pose = token_mlp(p, "cam_mlp", poses)
    null = p["null_vector"].reshape(1, -1).expand_as(audio)
    return torch.stack([audio, eye, pose, null], dim=1)


def esaa_shares(
    p: Parameters, layer: int, x: Tensor, agents: int, heads: int
) -> tuple[Tensor, Tensor]:
    """x (..., N, 64) -> agents (..., A, 64) and the Gaussians' shares of them (..., N, A). In the
    first layer neither depends on the frame."""
    scale = math.sqrt(heads / x.shape[-1])
    name = f"{attention_name(layer)}agent_linear"
    agent = linear(p, name, x[..., :agents, :])
    return agent, (x @ agent.transpose(-1, -2) * scale).softmax(dim=-1)


def indexed(token: Tensor) -> Tensor:
    """token (B, 4, 64) plus EGSTalker's encoding of the token's index."""
    return token + torch.from_numpy(positions(*token.shape[1:])).to(token)


def agent_mix(agent: Tensor, keys: Tensor, heads: int) -> Tensor:
    """agent (..., A, 64), keys (B, 4, 64) -> the agents' attention to the tokens (B, A, 4)."""
    scale = math.sqrt(heads / keys.shape[2])
    return (agent @ keys.transpose(1, 2) * scale).softmax(dim=-1)


def esaa(agent: Tensor, shares: Tensor, keys: Tensor, heads: int) -> tuple[Tensor, Tensor]:
    """agent (..., A, 64), shares (..., N, A), keys (B, 4, 64) -> (B, N, 64), (B, N, 4)."""
    out = (shares @ agent_mix(agent, keys, heads)) @ keys
    return out, out.reshape(*out.shape[:2], heads, -1).mean(dim=2)


def multi_head(
    p: Parameters, layer: int, x: Tensor, token: Tensor, heads: int
) -> tuple[Tensor, Tensor]:
    """x (1 or B, N, 64), token (B, 4, 64) -> (B, N, 64), (B, N, 4)."""
    name = attention_name(layer)
    dim = x.shape[2] // heads

    def split(y: Tensor) -> Tensor:
        return y.reshape(*y.shape[:2], heads, dim).transpose(1, 2)

    q = split(linear(p, f"{name}w_q", x))
    k = split(linear(p, f"{name}w_k", token))
    v = split(linear(p, f"{name}w_v", token))
    score = (q @ k.transpose(2, 3) / math.sqrt(dim)).softmax(dim=-1)
    out = (score @ v).transpose(1, 2).flatten(2)
    return linear(p, f"{name}w_concat", out), score.mean(dim=1)


def feed_forward(p: Parameters, layer: int, x: Tensor, attended: Tensor) -> Tensor:
    """x (1 or B, N, 64), attended (B, N, 64) -> (B, N, 64)."""
    prefix = layer_prefix(layer)

    def norm(name: str, y: Tensor) -> Tensor:
        gamma, beta = p[f"{prefix}{name}.gamma"], p[f"{prefix}{name}.beta"]
        return F.layer_norm(y, y.shape[-1:], gamma, beta, 1e-12)

    x = norm("norm1", attended + x)
    hidden = F.relu(linear(p, f"{prefix}ffn.linear1", x))
    return norm("norm2", x + linear(p, f"{prefix}ffn.linear2", hidden))


def head(p: Parameters, name: str, hidden: Tensor) -> Tensor:
    """hidden (B, N, 64), already through its ReLU -> offsets (B, N, width)."""
    return linear(p, f"{name}.3", F.relu(linear(p, f"{name}.1", hidden)))


def static_attributes(p: Parameters, means: Tensor) -> dict[str, Tensor]:
    """means (N, 3) -> raw scales (N, 3), rotations (N, 4), opacity (N, 1), shs (N, 48)."""
    x = F.relu(linear(p, "tri_plane.feature_out.0", features(p, means)))
    x = F.relu(linear(p, "tri_plane.feature_out.2", x))
    return {
        name: linear(p, f"tri_plane.{name}.3", F.relu(linear(p, f"tri_plane.{name}.1", x)))
        for name in STATIC_HEADS
    }
