"""A small random avatar for tests: every parameter random, offsets so small that the head stays a
head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.network.architecture import KINDS
from core.network.build import NetworkPlan, new_weights
from core.network.names import (
    EYE_FREQUENCIES,
    HASH_LEVELS,
    HEADS,
    POSE_MEAN,
    POSE_SCALE,
    STATIC_HEADS,
    TOKEN_MLPS,
    attention_name,
    grid_name,
    layer_prefix,
)
from core.records.body import Body
from core.records.gaussians import Gaussians
from core.records.weights import EGSTALKER, PAPER, NetworkWeights

Arrays = dict[str, NDArray[np.float32]]


def random_gaussians(n: int = 500, seed: int = 0) -> Gaussians:
    """An upright ellipsoid of the size of a head (decimetres), in skin-like colours."""
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=(n, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    means = direction * (0.7, 0.9, 0.55)
    sh = 0.03 * rng.normal(size=(n, 16, 3))
    sh[:, 0] += (0.8, 0.3, 0.1)
    quats = (1, 0, 0, 0) + 0.3 * rng.normal(size=(n, 4))
    log_scales = np.log(1.2 / np.sqrt(n)) + 0.3 * rng.normal(size=(n, 3))
    logits = 1.5 + 0.7 * rng.normal(size=n)
    return Gaussians(*(a.astype(np.float32) for a in (means, log_scales, quats, logits, sh)))


def random_body(m: int = 60, seed: int = 0) -> Body:
    """Gaussians below the head of `random_gaussians`, which follow it the more the higher they
    are."""
    rng = np.random.default_rng(seed)
    means = rng.uniform((-1.5, -2.2, -0.5), (1.5, -0.6, 0.5), (m, 3))
    values = (
        means,
        np.log(0.15) + 0.3 * rng.normal(size=(m, 3)),
        (1, 0, 0, 0) + 0.3 * rng.normal(size=(m, 4)),
        1.5 + 0.7 * rng.normal(size=m),
        (0.2, 0.4, 1.0) + 0.3 * rng.normal(size=(m, 3)),
        np.clip((means[:, 1] + 1.6) / 0.8, 0, 1),
    )
    return Body(*(value.astype(np.float32) for value in values))


def random_avatar(
    n: int = 500,
    kind: str = EGSTALKER,
    seed: int = 0,
    *,
    audio_dim: int = 29,
    layers: int = 1,
    resolution: int = 16,
    agents: int = 200,
    static: bool = False,
) -> tuple[NetworkWeights, Gaussians]:
    """Weights of an official kind under their official names (`static`: with the coarse heads) and
    n canonical Gaussians. Same arguments, same bits."""
    rng = np.random.default_rng(seed + 1000)
    gaussians = random_gaussians(n, seed)
    architecture = KINDS[kind]
    arrays: Arrays = {}

    def put(name: str, *shape: int, gain: float = 1.0, mean: float = 0.0) -> None:
        arrays[name] = (mean + gain * rng.normal(size=shape)).astype(np.float32)

    def linear(name: str, out: int, *inputs: int, gain: float = 1.0) -> None:
        put(f"{name}.weight", out, *inputs, gain=gain / np.sqrt(np.prod(inputs)))
        put(f"{name}.bias", out, gain=0.1 * gain)

    put("null_vector", 1, 1, 64)
    low, high = gaussians.means.min(0), gaussians.means.max(0)
    arrays["tri_plane.grid.aabb"] = np.stack([high, low]) * np.float32(0.98)
    for level in range(2):
        side = resolution * 2**level
        for plane in range(3):
            put(grid_name(level, plane), 1, 32, side, side, gain=0.4, mean=0.8)

    for i, (out, inp) in enumerate([(32, audio_dim), (32, 32), (64, 32), (64, 64)]):
        linear(f"audio_net.encoder_conv.{2 * i}", out, inp, 3, gain=1.4)
    linear("audio_net.encoder_fc1.0", 64, 64, gain=1.4)
    linear("audio_net.encoder_fc1.2", 32, 64)
    for i, (out, inp) in enumerate([(16, 32), (8, 16), (4, 8), (2, 4), (1, 2)]):
        linear(f"audio_att_net.attentionConvNet.{2 * i}", out, inp, 3, gain=1.4)
    linear("audio_att_net.attentionNet.0", 8, 8)

    for mlp, width in zip(TOKEN_MLPS, (32, 32, 12), strict=True):
        for i, inp in enumerate((width, 64)):
            if architecture.kan:
                put(f"{mlp}.net.{i}.base_weight", 64, inp, gain=0.5 / np.sqrt(inp))
                put(f"{mlp}.net.{i}.taylor_coeffs", 64, inp, 3, gain=0.2 / inp)
                put(f"{mlp}.net.{i}.bias", 64, gain=0.1)
            else:
                put(f"{mlp}.net.{i}.weight", 64, inp, gain=1 / np.sqrt(inp))

    for layer in range(layers):
        prefix = layer_prefix(layer)
        for name in architecture.attention_layers:
            linear(f"{attention_name(layer)}{name}", 64, 64)
        for norm in ("norm1", "norm2"):
            put(f"{prefix}{norm}.gamma", 64, gain=0.2, mean=1)
            put(f"{prefix}{norm}.beta", 64, gain=0.1)
        linear(f"{prefix}ffn.linear1", 128, 64, gain=1.4)
        linear(f"{prefix}ffn.linear2", 64, 128)
    for head, (_, width) in HEADS.items():
        linear(f"{head}.1", 128, 64, gain=1.4)
        linear(f"{head}.3", width, 128, gain=0.02)
    if static:
        linear("tri_plane.feature_out.0", 128, 64)
        linear("tri_plane.feature_out.2", 128, 128)
        for head, width in STATIC_HEADS.items():
            linear(f"tri_plane.{head}.1", 128, 128)
            linear(f"tri_plane.{head}.3", width, 128, gain=0.1)
    return NetworkWeights(kind, arrays, agents=agents), gaussians


def random_paper_avatar(
    n: int = 500, seed: int = 0, *, layers: int = 1, agents: int = 200, **plan: int | bool
) -> tuple[NetworkWeights, Gaussians]:
    """The same for a "paper" network; `plan`: fields of NetworkPlan. Every tensor differs from what
    training begins with."""
    gaussians = random_gaussians(n, seed)
    low, high = gaussians.means.min(0), gaussians.means.max(0)
    poses = np.stack([random_pose(i) for i in range(9)])
    shape = NetworkPlan(PAPER, 29, low, high, poses, resolution=16, agents=agents, **plan)
    weights = new_weights(shape, seed)
    arrays: Arrays = dict(weights.arrays)
    for layer in range(1, layers):
        for name, values in weights.arrays.items():
            if name.startswith(layer_prefix(0)):
                arrays[name.replace(layer_prefix(0), layer_prefix(layer))] = values
    rng = np.random.default_rng(seed)
    fixed = {"tri_plane.grid.aabb", HASH_LEVELS, POSE_MEAN, POSE_SCALE, EYE_FREQUENCIES}
    arrays = {
        name: a if name in fixed else a + (0.05 * rng.normal(size=a.shape)).astype(np.float32)
        for name, a in arrays.items()
    }
    return replace(weights, arrays=arrays), gaussians


def random_windows(seed: int = 0, *, audio_dim: int = 29, steps: int = 16) -> NDArray[np.float32]:
    """(8, D, W): one frame's sound."""
    rng = np.random.default_rng(seed + 2000)
    return rng.normal(size=(8, audio_dim, steps)).astype(np.float32)


def random_pose(seed: int = 0) -> NDArray[np.float32]:
    """(12,) as `camera.pose_vector` makes it: a head turned a little, 7.5 dm away."""
    angles = 0.15 * np.random.default_rng(seed + 3000).normal(size=3)
    c, s = np.cos(angles), np.sin(angles)
    rx = np.array([[1, 0, 0], [0, c[0], -s[0]], [0, s[0], c[0]]])
    ry = np.array([[c[1], 0, s[1]], [0, 1, 0], [-s[1], 0, c[1]]])
    rotation = np.diag([1.0, -1.0, -1.0]) @ rx @ ry
    return np.concatenate([rotation.T.ravel(), [0.05, 0.08, 7.5]]).astype(np.float32)
