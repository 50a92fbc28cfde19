"""The layers in training: correct gradients, and initial values that move next to nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from core.network.build import NetworkPlan, new_weights
from core.network.names import POSE_MEAN, POSE_SCALE, PPE
from core.network.torch import layers
from core.network.torch.network import FIXED, TorchNetwork, raw_tensors
from core.records.weights import EGSTALKER, PAPER
from core.training.config import TrainConfig
from core.training.head import Head, merge_static_decoder, new_head, static_raw
from tests.support.synthetic import random_gaussians, random_pose, random_windows

N, DIM, AGENTS = 5, 64, 3
PARTS = [{}, {"kan": False}, {"esaa": False}, {"ppe": False}, {"hashed": False}]


def parameters(kind: str = PAPER, **parts: bool) -> dict[str, Tensor]:
    """A small network, away from its beginning, in float64."""
    gaussians = random_gaussians(40)
    poses = np.stack([random_pose(i) for i in range(9)])
    low, high = gaussians.means.min(0), gaussians.means.max(0)
    plan = NetworkPlan(kind, 6, low, high, poses, 4, AGENTS, hidden=8, decoder=6, **parts)
    rng = np.random.default_rng(0)
    return {
        name: torch.from_numpy(
            array.astype(np.float64) + (0 if name in FIXED else 0.1) * rng.normal(size=array.shape)
        )
        for name, array in new_weights(plan, 1).arrays.items()
    }


def points(n: int = N) -> Tensor:
    return torch.from_numpy(random_gaussians(n, seed=3).means.astype(np.float64)) * 0.9


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def check(p: dict[str, Tensor], used: tuple[str, ...], run, *inputs: Tensor) -> None:  # type: ignore[no-untyped-def]
    """Gradients of run(p, *inputs) with respect to the inputs and to the parameters whose names
    begin as `used` say."""
    names = [name for name in p if name.startswith(used) and name not in FIXED]
    assert all(any(name.startswith(u) for name in names) for u in used)
    leaves = [p[name].clone().requires_grad_() for name in names]
    given = [value.clone().requires_grad_() for value in inputs]

    def function(*values: Tensor) -> object:
        own = dict(zip(names, values[len(given) :], strict=True))
        return run({**p, **own}, *values[: len(given)])

    assert gradcheck(function, (*given, *leaves), fast_mode=True, atol=1e-6)


@pytest.mark.parametrize("parts", [{}, {"kan": False}, {"hashed": False}])
def test_encoded(parts: dict[str, bool]) -> None:
    """The tri-plane and the layer over it."""
    planes = "tri_plane.hash" if parts.get("hashed", True) else "tri_plane.grid.grids"
    check(parameters(**parts), (planes, "encoder"), layers.encoded, points())


@pytest.mark.parametrize("parts", PARTS[:2])
def test_decoded(parts: dict[str, bool]) -> None:
    check(parameters(**parts), ("decoder",), layers.decoded, uniform(2, N, DIM))


def test_kan() -> None:
    p = parameters()
    check(p, ("decoder.0",), lambda p, x: layers.dense(p, "decoder.0", x), uniform(N, DIM))
    check(p, ("audio_mlp",), lambda p, x: layers.token_mlp(p, "audio_mlp", x), uniform(2, 32))


@pytest.mark.parametrize("kind", [PAPER, EGSTALKER])
def test_encode_audio(kind: str) -> None:
    """With the periodic encoding of time where the kind has it."""
    p = parameters(kind)
    assert (PPE in p) == (kind == PAPER)
    windows = uniform(2, 8, 6, 4 if kind == PAPER else 16)
    check(p, ("audio_net", "audio_att_net"), layers.encode_audio, windows)


@pytest.mark.parametrize("kind", [PAPER, EGSTALKER])
def test_tokens(kind: str) -> None:
    """Eyes are no input of training; poses neither, but their layers are."""
    p = parameters(kind)
    eyes = torch.tensor([0.2, 0.7], dtype=torch.float64)
    poses = torch.from_numpy(np.stack([random_pose(i) for i in (1, 2)]).astype(np.float64))
    used = ("audio_mlp", "eye_mlp", "cam_mlp", "null_vector")
    check(p, used, lambda p, codes: layers.tokens(p, codes, eyes, poses), uniform(2, 32))


@pytest.mark.parametrize("kind", [PAPER, EGSTALKER])
def test_esaa(kind: str) -> None:
    def run(p: dict[str, Tensor], x: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        agents, shares = layers.esaa_shares(p, 0, x, AGENTS, 16)
        return layers.esaa(agents, shares, keys, 16)

    name = "transformer.layers.0.enc_dec_attention.agent_linear"
    check(parameters(kind), (name,), run, uniform(N, DIM), uniform(2, 4, DIM, seed=1))


def test_attention_without_esaa() -> None:
    check(
        parameters(esaa=False),
        ("transformer.layers.0.enc_dec_attention",),
        lambda p, x, token: layers.multi_head(p, 0, x[None], token, 2),
        uniform(N, DIM),
        uniform(2, 4, DIM, seed=1),
    )


@pytest.mark.parametrize("kind", [PAPER, EGSTALKER])
def test_feed_forward(kind: str) -> None:
    used = ("transformer.layers.0.norm", "transformer.layers.0.ffn")
    run = lambda p, x, attended: layers.feed_forward(p, 0, x[None], attended)  # noqa: E731
    check(parameters(kind), used, run, uniform(N, DIM), uniform(2, N, DIM, seed=1))


def test_the_official_heads_and_coarse_heads() -> None:
    p = parameters(EGSTALKER)
    for name in ("pos_deform", "shs_deform"):
        check(p, (name,), lambda p, x, n=name: layers.head(p, n, x), uniform(2, N, DIM))
    used = ("tri_plane.feature_out", "tri_plane.scales", "tri_plane.opacity", "tri_plane.grid")
    check(p, used, lambda p, x: tuple(layers.static_attributes(p, x).values()), points())


def test_shares_and_weights_are_what_they_are_called() -> None:
    p = parameters()
    _, shares = layers.esaa_shares(p, 0, uniform(N, DIM), AGENTS, 16)
    assert shares.shape == (N, AGENTS)
    assert torch.allclose(shares.sum(1), torch.ones(N, dtype=torch.float64))
    poses = np.stack([random_pose(i) for i in range(9)])
    standard = (torch.from_numpy(poses) - p[POSE_MEAN]) * p[POSE_SCALE]
    assert float(standard.abs().max()) < 4 and float(standard.mean(0).abs().max()) < 1e-5


def make_head(arrangement: str = "paper", **changes: object) -> Head:
    gaussians = random_gaussians(150)
    config = TrainConfig(arrangement=arrangement, points=100, resolution=8, agents=10)
    poses = np.stack([random_pose(i) for i in range(9)])
    return new_head(gaussians.means, poses, 6, replace(config, **changes), "cpu")


@pytest.mark.parametrize("kan", [True, False])
def test_the_static_layer_begins_with_nothing_and_merge_static_decoders_into_the_gaussians(
    kan: bool,
) -> None:
    head = make_head(kan=kan)
    x = head.network.features(head.canonical["means"])
    for value, still in zip(static_raw(head, x), head.raw(), strict=True):
        assert torch.equal(value, still)
    with torch.no_grad():
        for value in head.static.values():
            value += 0.01 * torch.randn(value.shape, generator=torch.Generator().manual_seed(0))
    raw = static_raw(head, head.network.features(head.canonical["means"]))
    assert not torch.equal(raw.means, head.canonical["means"])
    merge_static_decoder(head)
    assert not len(head.static)
    for value, still in zip(raw, head.raw(), strict=True):
        assert torch.equal(value, still)


@pytest.mark.parametrize("arrangement", ["paper", "official"])
def test_new_weights_move_next_to_nothing(arrangement: str) -> None:
    head = make_head(arrangement)
    windows = torch.from_numpy(random_windows(audio_dim=6))[None]
    eyes, poses = torch.tensor([0.0], dtype=torch.float64), torch.from_numpy(random_pose())[None]
    with torch.no_grad():
        moved, _ = head.network(head.raw(), windows, eyes, poses)
        offset = (moved.means[0] - head.canonical["means"]).abs().max()
    assert 0 < float(offset) < 0.2


def test_a_new_head_is_the_same_for_the_same_seed() -> None:
    one, same, other = make_head(), make_head(), make_head(seed=1)
    for (name, a), b in zip(one.named_parameters(), same.parameters(), strict=True):
        assert torch.equal(a, b), name
    assert not torch.equal(one.canonical["means"], other.canonical["means"])
    assert len(one) == 100 and len(make_head(points=1000)) == 150


def test_colours_are_what_is_drawn() -> None:
    gaussians = random_gaussians(100)
    colours = np.random.default_rng(0).random((100, 3))
    poses = np.stack([random_pose(i) for i in range(9)])
    config = TrainConfig(points=100, resolution=8)
    head = new_head(gaussians.means, poses, 6, config, "cpu", colours)
    order = [int(np.abs(gaussians.means - m).sum(1).argmin()) for m in head.gaussians().means]
    drawn = 0.5 + 0.28209479177387814 * head.gaussians().sh[:, 0]
    np.testing.assert_allclose(drawn, colours[order], atol=1e-6)


def test_harmonics_that_were_never_trained_are_zero_in_the_avatar() -> None:
    head = make_head()
    with torch.no_grad():
        head.canonical["sh_rest"].fill_(0.5)
    for degree, count in ((0, 1), (1, 4), (3, 16)):
        head.degree = degree
        sh = head.gaussians().sh
        assert (sh[:, 1:count] == 0.5).all() and not sh[:, count:].any()


def test_the_module_gives_back_its_weights() -> None:
    head = make_head()
    weights = head.network.to_weights()
    again = TorchNetwork(weights)
    for (name, a), b in zip(head.network.named_parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b), name
    assert raw_tensors(head.gaussians()).sh.shape == (100, 16, 3)
