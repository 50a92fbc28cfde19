"""The torch network: equal to numpy and to the official network, and trainable."""

from __future__ import annotations

import dataclasses
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from core.errors import FeatureMismatchError
from core.network import names
from core.network.architecture import KINDS as ARCHITECTURES
from core.network.architecture import tensor_names
from core.network.numpy import reference
from core.network.official.compare import largest_errors, static_attributes
from core.network.official.reference_file import read_reference
from core.records.gaussians import Gaussians
from core.records.weights import EGSTALKER, GAUSSIANTALKER
from tests.support.synthetic import random_avatar, random_pose, random_windows

torch = pytest.importorskip("torch", reason="torch is not installed in this environment")
torch_network = import_module("core.network.torch.network")
torch_deformer = import_module("core.network.torch.deformer")

GOLDEN = Path(__file__).parents[1] / "golden"
KINDS = (EGSTALKER, GAUSSIANTALKER)
RAW = ("means", "log_scales", "quats", "opacity_logits", "sh")
EYES = (0.37, 0.9)


def furthest(a: Gaussians, b: Gaussians) -> float:
    return max(float(np.abs(getattr(a, name) - getattr(b, name)).max()) for name in RAW)


@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_official_network(kind: str) -> None:
    errors = largest_errors(read_reference(GOLDEN / f"network_{kind}.npz"), "torch")
    assert len(errors) == 14
    assert max(errors.values()) <= 1e-5, errors


@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_whole_official_reference(kind: str, shared: Path) -> None:
    file = read_reference(shared / "reference" / f"reference_{kind}.npz")
    assert max(largest_errors(file, "torch").values()) <= 1e-5


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_equals_numpy(kind: str, layers: int) -> None:
    weights, gaussians = random_avatar(300, kind, layers=layers, agents=70)
    windows = np.stack([random_windows(0), random_windows(1)])
    poses = np.stack([random_pose(0), random_pose(1)])
    deformer = torch_deformer.prepare_plain(weights, gaussians)
    network = torch_network.TorchNetwork(weights)
    batch, attention = network(
        torch_network.raw_tensors(gaussians),
        torch.from_numpy(windows),
        torch.tensor(EYES, dtype=torch.float64),
        torch.from_numpy(poses),
    )
    for b, eye in enumerate(EYES):
        expected = reference.forward(weights, gaussians, windows[b], eye, poses[b])
        one = deformer.deform_raw(deformer.encode_audio(windows[b]), eye, poses[b], 1.0)
        assert furthest(one, expected.gaussians) < 2e-6
        item = Gaussians(*(value[b].detach().numpy() for value in batch))
        assert furthest(item, expected.gaussians) < 2e-6
        np.testing.assert_allclose(attention[b].detach().numpy(), expected.attention, atol=5e-6)


def test_static_heads_equal_numpy() -> None:
    weights, gaussians = random_avatar(100, static=True)
    network = torch_network.TorchNetwork(weights)
    found = network.static_attributes(torch.from_numpy(gaussians.means))
    for name, value in static_attributes(weights.arrays, gaussians.means).items():
        np.testing.assert_allclose(found[name].detach().numpy(), value, atol=2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_come_back_under_their_official_names(kind: str) -> None:
    weights, _ = random_avatar(50, kind, static=True, agents=33)
    weights = dataclasses.replace(weights, frozen=frozenset({"sh"}))
    network = torch_network.TorchNetwork(weights)
    back = network.to_weights()
    assert set(network.state_dict()) == set(back.arrays) == set(weights.arrays)
    assert all(np.array_equal(back.arrays[name], a) for name, a in weights.arrays.items())
    assert (back.kind, back.frozen, back.agents) == (kind, {"sh"}, 33)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_gradient_reaches_every_tensor(kind: str, layers: int) -> None:
    weights, gaussians = random_avatar(200, kind, layers=layers, static=True)
    network = torch_network.TorchNetwork(weights)
    canonical = torch_network.raw_tensors(gaussians)
    for value in canonical:
        value.requires_grad_(True)
    moved, _ = network(
        canonical,
        torch.from_numpy(random_windows()[None]),
        torch.tensor(EYES[:1], dtype=torch.float64),
        torch.from_numpy(random_pose()[None]),
    )
    sum(value.square().sum() for value in moved).backward()
    static = network.static_attributes(canonical.means)
    sum(value.square().sum() for value in static.values()).backward()
    for name, parameter in network.named_parameters():
        if name == "tri_plane.grid.aabb":
            assert not parameter.requires_grad
        else:
            assert parameter.grad is not None and parameter.grad.abs().max() > 0, name
    architecture = dataclasses.replace(ARCHITECTURES[kind], layers=layers)
    wanted = {*tensor_names(architecture), *names.static_names()}
    assert {name for name, _ in network.named_parameters()} == wanted
    for value in canonical:
        assert value.grad is not None and value.grad.abs().max() > 0


def test_deform_keeps_frozen_and_scales_by_strength() -> None:
    weights, gaussians = random_avatar(50)
    weights = dataclasses.replace(weights, frozen=frozenset({"quats"}))
    deformer = torch_deformer.prepare_plain(weights, gaussians)
    code = deformer.encode_audio(random_windows())
    full = deformer.deform_raw(code, 0.3, random_pose(), 1.0)
    half = deformer.deform_raw(code, 0.3, random_pose(), 0.5)
    assert np.array_equal(full.quats, gaussians.quats)
    np.testing.assert_allclose(half.sh, (full.sh + gaussians.sh) / 2, atol=1e-6)
    splats = deformer.deform(code, 0.3, random_pose(), 1.0)
    np.testing.assert_allclose(np.linalg.norm(splats.quats, axis=1), 1, atol=1e-6)
    again = deformer.deform_raw(code, 0.3, random_pose(), 1.0)
    assert all(np.array_equal(getattr(again, name), getattr(full, name)) for name in RAW)


def test_sound_that_does_not_fit_is_an_error() -> None:
    weights, gaussians = random_avatar(20)
    deformer = torch_deformer.prepare_plain(weights, gaussians)
    with pytest.raises(FeatureMismatchError, match="29"):
        deformer.encode_audio(np.zeros((8, 80, 16), np.float32))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
@pytest.mark.parametrize("kind", KINDS)
def test_cuda_equals_numpy(kind: str) -> None:
    weights, gaussians = random_avatar(3000, kind)
    deformer = torch_deformer.prepare_plain(weights, gaussians, "cuda")
    windows, pose = random_windows(), random_pose()
    moved = deformer.deform_raw(deformer.encode_audio(windows), 0.37, pose, 1.0)
    expected = reference.forward(weights, gaussians, windows, 0.37, pose).gaussians
    assert furthest(moved, expected) < 1e-5
