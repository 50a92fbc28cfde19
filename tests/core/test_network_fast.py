"""Batches on a device: equal to the plain network for every batch, also in half precision."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from core.avatar.file import load_avatar
from core.bake.plan import training_tasks
from core.benchmarks.stages import made_track
from core.network.build import NetworkPlan, new_weights
from core.network.official.reference_file import read_reference
from core.records.gaussians import Gaussians, activate
from core.records.weights import EGSTALKER, GAUSSIANTALKER, PAPER
from core.render import reference as oracle
from core.render.numpy import tiles
from tests.support.render_scenes import camera, decibels
from tests.support.synthetic import random_avatar, random_gaussians, random_pose, random_windows

torch = pytest.importorskip("torch", reason="torch is not installed in this environment")
torch_network = import_module("core.network.torch.network")
fast_torch = import_module("core.network.torch.frames")
fused_torch = import_module("core.network.torch.fused")
torch_deformer = import_module("core.network.torch.deformer")

DEMO = Path(__file__).parents[2] / "egstalker_blender" / "assets" / "demo.egs"
GOLDEN = Path(__file__).parents[1] / "golden"
KINDS = (EGSTALKER, GAUSSIANTALKER)
PARTS = (
    {}, {"kan": False}, {"esaa": False}, {"hashed": False},
    {"ppe": False, "kan": False, "esaa": False},
)  # fmt: skip
CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
DEVICES = ["cpu", pytest.param("cuda", marks=CUDA)]
# A GPU has its own exponentials, and another order of sums for each shape of a product.
NEAR = {"cpu": 5e-6, "cuda": 2e-5}
EYES = (0.37, 0.9, 0.0)
STRENGTHS = (1.0, 0.4, 1.5)


class Case:
    """An avatar on a device and inputs of three frames."""

    def __init__(self, kind: str = EGSTALKER, device: str = "cpu", count: int = 700, **changes):
        if kind == PAPER:
            weights, gaussians = paper_avatar(count, **changes.pop("parts", {}))
        else:
            weights, gaussians = random_avatar(count, kind, agents=70)
        self.weights = replace(weights, **changes)
        self.network = torch_network.TorchNetwork(self.weights).to(device).requires_grad_(False)
        self.canonical = torch_network.raw_tensors(gaussians, device)
        windows = torch.from_numpy(np.stack([random_windows(k) for k in range(3)])).to(device)
        self.codes = self.network.encode_audio(windows)
        self.eyes = torch.tensor(EYES, dtype=torch.float64, device=device)
        self.poses = torch.from_numpy(np.stack([random_pose(k) for k in range(3)])).to(device)
        self.strengths = torch.tensor(STRENGTHS, device=device)

    def frames(self, **options):
        return fast_torch.frames_of(self.weights, self.network, self.canonical, **options)

    def run(self, frames, which=slice(None)):
        inputs = frames.prepared(self.codes[which], self.eyes[which], self.poses[which])
        return frames(inputs, self.strengths[which])

    def plain(self):
        return self.run(fast_torch.PlainFrames(self.network, self.canonical))


def paper_avatar(count: int, **parts: bool):
    """Random weights of the third kind, that move the head as much as those of the others do."""
    gaussians = random_gaussians(count)
    low, high = gaussians.means.min(0), gaussians.means.max(0)
    poses = np.stack([random_pose(seed) for seed in range(20)])
    plan = NetworkPlan(PAPER, 29, low, high, poses, resolution=16, agents=70, **parts)
    weights = new_weights(plan, 5)
    rng = np.random.default_rng(6)
    arrays = {
        name: array + np.float32(0.02) * rng.normal(size=array.shape).astype(np.float32)
        if name.startswith("decoder.1")
        else array
        for name, array in weights.arrays.items()
    }
    return replace(weights, arrays=arrays), gaussians


def furthest(a, b) -> float:
    return max(float((x - y).abs().max()) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_plain_network(kind: str, device: str) -> None:
    case = Case(kind, device)
    frames = case.frames()
    assert isinstance(frames, fast_torch.FastFrames)
    moved, expected = case.run(frames), case.plain()
    assert [value.shape for value in moved] == [value.shape for value in expected]
    assert furthest(moved, expected) < NEAR[device]
    canonical = [value[None] for value in case.canonical]
    assert furthest(expected, [value.expand(3, *value.shape[1:]) for value in canonical]) > 0.01


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("parts", PARTS, ids=str)
def test_the_papers_network_equals_its_plain_one(parts: dict[str, bool], device: str) -> None:
    case = Case(PAPER, device, parts=parts)
    frames = case.frames()
    assert isinstance(frames, fast_torch.FastFrames)
    moved, expected = case.run(frames), case.plain()
    assert furthest(moved, expected) < NEAR[device]
    assert (
        furthest(
            [expected.sh[:1], expected.means[:1]],
            [case.canonical.sh[None], case.canonical.means[None]],
        )
        > 1e-3
    )
    assert furthest(case.run(case.frames(half=True)), expected) < 2e-2
    frozen = Case(PAPER, device, parts=parts, frozen=frozenset({"scales", "sh"}))
    assert furthest(frozen.run(frozen.frames()), frozen.plain()) < NEAR[device]


@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_official_network(kind: str) -> None:
    file = read_reference(GOLDEN / f"network_{kind}.npz")
    network = torch_network.TorchNetwork(file.weights).requires_grad_(False)
    canonical = torch_network.raw_tensors(file.gaussians)
    frames = fast_torch.frames_of(file.weights, network, canonical)
    assert isinstance(frames, fast_torch.FastFrames)
    codes = network.encode_audio(torch.from_numpy(file.windows))
    inputs = frames.prepared(codes, torch.from_numpy(file.eyes), torch.from_numpy(file.poses))
    moved = frames(inputs, torch.ones(len(codes)))
    names = ("means3D", "scales_raw", "rotations_raw", "opacity_raw", "shs")
    for name, value in zip(names, moved, strict=True):
        expected = file.outputs[name]
        assert np.abs(value.numpy().reshape(expected.shape) - expected).max() <= 1e-5, name


@pytest.mark.parametrize("kind", KINDS)
def test_frozen_attributes_stay_and_are_one_array(kind: str) -> None:
    case = Case(kind, frozen=frozenset({"sh", "quats"}))
    moved = case.run(case.frames())
    assert furthest(moved, case.plain()) < 5e-6
    assert torch.equal(moved.sh[1], case.canonical.sh) and moved.sh.stride(0) == 0
    still = Case(kind, frozen=frozenset({"means", "scales", "quats", "opacities", "sh"}))
    moved = still.run(still.frames())
    assert all(torch.equal(v[2], c) for v, c in zip(moved, still.canonical, strict=True))


@pytest.mark.parametrize("device", DEVICES)
def test_gaussians_in_slices_are_the_same_gaussians(device: str, monkeypatch) -> None:
    case = Case(device=device)
    frames = case.frames()
    whole = case.run(frames)
    monkeypatch.setitem(fast_torch.WIDEST, device, 1)  # 256 Gaussians at a time
    assert furthest(case.run(frames), whole) < (2e-6 if device == "cpu" else NEAR[device])


def test_a_frame_in_a_batch_of_that_size_is_the_same_wherever_it_stands() -> None:
    case = Case()
    frames = case.frames()
    together = case.run(frames)
    for k in range(3):
        padded = case.run(frames, [k, k, k])
        for value, whole in zip(padded, together, strict=True):
            assert torch.equal(value[0], whole[k]) and torch.equal(value[2], whole[k])


def test_another_network_takes_the_plain_path() -> None:
    weights, gaussians = random_avatar(300, layers=2, agents=40)
    network = torch_network.TorchNetwork(weights).requires_grad_(False)
    frames = fast_torch.frames_of(weights, network, torch_network.raw_tensors(gaussians))
    assert isinstance(frames, fast_torch.PlainFrames)
    code = network.encode_audio(torch.from_numpy(random_windows()[None]))
    pose = torch.from_numpy(random_pose()[None])
    inputs = frames.prepared(code, torch.tensor([0.3], dtype=torch.float64), pose)
    moved = frames(inputs, torch.ones(1))
    expected = torch_deformer.prepare_plain(weights, gaussians).deform_raw(
        code[0].numpy(), 0.3, random_pose(), 1.0
    )
    assert np.abs(moved.sh[0].numpy() - expected.sh).max() < 2e-6


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_keeps_the_picture(kind: str, device: str) -> None:
    """Where a footprint's edge or an alpha's limit falls to the other side, a pixel steps."""
    case = Case(kind, device, count=2000)
    exact, rough = case.run(case.frames()), case.run(case.frames(half=True))
    assert all(value.dtype == torch.float32 for value in rough)
    assert 0 < furthest(exact, rough) < 2e-2
    assert not torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction
    for k in range(3):
        pictures = [
            oracle.rasterise(
                activate(Gaussians(*(value[k].cpu().numpy() for value in moved))), camera()
            )
            for moved in (exact, rough)
        ]
        assert decibels(*pictures) >= 65
        assert np.quantile(np.abs(pictures[0] - pictures[1]), 0.999) < 1 / 255


def test_half_precision_on_the_demo_avatar() -> None:
    """Measured in four frames: 88 to 90 dB, at most 2.05/255."""
    avatar = load_avatar(DEMO)
    network = torch_network.TorchNetwork(avatar.network).requires_grad_(False)
    canonical = torch_network.raw_tensors(avatar.gaussians)
    (task,) = training_tasks(avatar, [60])
    code = network.encode_audio(torch.from_numpy(made_track(avatar).around(59)[None]))
    eye = torch.tensor([task.moment.eye], dtype=torch.float64)
    pose = torch.from_numpy(task.moment.pose[None])
    pictures = []
    for half in (False, True):
        frames = fast_torch.frames_of(avatar.network, network, canonical, half=half)
        moved = frames(frames.prepared(code, eye, pose), torch.ones(1))
        splats = activate(Gaussians(*(value[0].numpy() for value in moved)))
        pictures.append(tiles.rasterise(splats, task.camera))
    assert decibels(*pictures) >= 85
    assert np.abs(pictures[0] - pictures[1]).max() < 3 / 255


def test_a_pose_token_in_the_hundreds_does_not_overflow_half_precision() -> None:
    case = Case()
    case.poses = case.poses.clone()
    case.poses[:, 11] = 60.0  # squared by the KAN, twice
    moved = case.run(case.frames(half=True))
    assert all(bool(torch.isfinite(value).all()) for value in moved)
    assert furthest(moved, case.plain()) < 2e-2


def test_relu_in_the_product_is_relu_after_it() -> None:
    x, weight, bias = torch.randn(9, 4), torch.randn(6, 4), torch.randn(6)
    fused = getattr(torch, "_addmm_activation", None)
    if fused is None:
        pytest.skip("this torch has no product with an activation")
    expected = fused_torch.relu_linear(x, weight, bias)
    assert (expected >= 0).all() and (expected > 0).any()
    torch.testing.assert_close(fused(bias, x, weight.T), expected)
