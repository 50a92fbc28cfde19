"""The "paper" network: numpy and torch versions, the fast path, parts left out, the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.avatar.file import load_avatar, save_avatar
from core.errors import CheckpointError
from core.network import architecture, checks, names
from core.network.architecture import architecture_named, tensor_names
from core.network.build import NetworkPlan, new_weights
from core.network.numba import network
from core.network.numpy import folded_network, reference
from core.network.torch.deformer import prepare_fast, prepare_plain
from core.records.avatar import Avatar
from core.records.camera import Camera
from core.records.feature_spec import FeatureSpec
from core.records.gaussians import Gaussians
from core.records.weights import EGSTALKER, PAPER, NetworkWeights

from ..support.synthetic import random_gaussians, random_paper_avatar, random_pose, random_windows

PARTS = [{}, {"kan": False}, {"esaa": False}, {"ppe": False}, {"hashed": False}]


def paper_avatar(seed: int = 0, **parts: bool) -> tuple[NetworkWeights, Gaussians]:
    return random_paper_avatar(300, seed, **parts)


def raw(gaussians: Gaussians) -> dict[str, np.ndarray]:
    return dict(vars(gaussians))


@pytest.mark.parametrize("parts", PARTS)
@pytest.mark.parametrize("way", ["blas", "einsum", "numba", "torch"])
def test_every_path_equals_the_plain_network(parts: dict[str, bool], way: str) -> None:
    weights, gaussians = paper_avatar(**parts)
    windows, pose = random_windows(1), random_pose(20)
    plain = reference.forward(weights, gaussians, windows, 0.3, pose).gaussians
    deformer = {
        "blas": lambda: folded_network.prepare(weights, gaussians, blas=True),
        "einsum": lambda: folded_network.prepare(weights, gaussians, blas=False),
        "numba": lambda: network.prepare(weights, gaussians),
        "torch": lambda: prepare_plain(weights, gaussians),
    }[way]()
    moved = deformer.deform_raw(deformer.encode_audio(windows), 0.3, pose, 1.0)
    for name, value in raw(plain).items():
        assert np.abs(raw(moved)[name] - value).max() < 1e-5, name
    assert np.abs(plain.means - gaussians.means).max() > 1e-3


@pytest.mark.parametrize("way", ["plain", "blas", "numba", "torch"])
def test_a_head_that_turns_further_than_in_its_film_moves_as_at_its_end(way: str) -> None:
    weights, gaussians = paper_avatar()
    windows, arrays = random_windows(1), weights.arrays
    scale = arrays[names.POSE_SCALE]
    deviation = np.divide(1, scale, out=np.zeros(12, np.float32), where=scale > 0)
    sides = np.resize(np.float32([1, -1, -1]), 12)

    def moved(deviations: float) -> Gaussians:
        pose = arrays[names.POSE_MEAN] + sides * deviations * deviation
        if way == "plain":
            return reference.forward(weights, gaussians, windows, 0.3, pose).gaussians
        prepared = {
            "blas": folded_network.prepare,
            "numba": network.prepare,
            "torch": prepare_plain,
        }
        deformer = prepared[way](weights, gaussians)
        return deformer.deform_raw(deformer.encode_audio(windows), 0.3, pose, 1.0)

    end, before, far = moved(names.POSE_LIMIT), moved(names.POSE_LIMIT / 2), moved(30.0)
    assert np.abs(end.means - before.means).max() > 1e-4
    for name, value in raw(end).items():
        assert np.abs(raw(far)[name] - value).max() < 1e-5, name


@pytest.mark.parametrize("parts", PARTS)
def test_names_and_shapes_tell_what_is_there(parts: dict[str, bool]) -> None:
    weights, _ = paper_avatar(**parts)
    assert set(tensor_names(architecture_named(PAPER, weights.arrays))) == set(weights.arrays)
    for name in weights.arrays:
        if name.startswith("tri_plane.grid.grids"):
            continue
        with pytest.raises(CheckpointError):
            short = {k: (v[:-1] if k == name else v) for k, v in weights.arrays.items()}
            checks.check_weights(replace(weights, arrays=short))


def test_only_the_first_harmonic_moves_and_strength_0_moves_nothing() -> None:
    weights, gaussians = paper_avatar()
    deformer = folded_network.prepare(weights, gaussians)
    code = deformer.encode_audio(random_windows())
    moved = deformer.deform_raw(code, 0.0, random_pose(), 1.0)
    assert np.array_equal(moved.sh[:, 1:], gaussians.sh[:, 1:])
    assert not np.array_equal(moved.sh[:, 0], gaussians.sh[:, 0])
    still = deformer.deform_raw(code, 0.0, random_pose(), 0.0)
    assert all(np.array_equal(raw(still)[k], v) for k, v in raw(gaussians).items())


def test_the_periodic_encoding_makes_time_heard() -> None:
    """Without it, windows in another order give another code only through the mixer's own taps;
    with it, eight equal windows are told apart."""
    weights, gaussians = paper_avatar()
    quiet = replace(weights, arrays={**weights.arrays, names.PPE: np.zeros((8, 32), np.float32)})
    windows = np.repeat(random_windows()[:1], 8, axis=0)
    with_ppe = folded_network.prepare(weights, gaussians).encode_audio(windows)
    without = folded_network.prepare(quiet, gaussians).encode_audio(windows)
    assert np.abs(with_ppe - without).max() > 0.1


def test_nearly_equal_closures_move_the_head_nearly_equally() -> None:
    weights, gaussians = paper_avatar()
    deformer = folded_network.prepare(weights, gaussians)
    code, pose = deformer.encode_audio(random_windows()), random_pose()
    at = [deformer.deform_raw(code, eye, pose, 1.0).means for eye in (0.5, 0.501, 1.0)]
    assert np.abs(at[1] - at[0]).max() < 0.02 * np.abs(at[2] - at[0]).max()


@pytest.mark.parametrize("frozen", ["means", "sh"])
def test_frozen_attributes_stay(frozen: str) -> None:
    weights, gaussians = paper_avatar()
    weights = NetworkWeights(PAPER, weights.arrays, frozenset([frozen]))
    for prepare in (folded_network.prepare, prepare_plain):
        deformer = prepare(weights, gaussians)
        code = deformer.encode_audio(random_windows())
        moved = deformer.deform_raw(code, 0.5, random_pose(), 1.0)
        assert np.array_equal(raw(moved)[frozen], raw(gaussians)[frozen])
        assert not np.array_equal(moved.quats, gaussians.quats)


@pytest.mark.parametrize("parts", PARTS)
def test_an_egs_file_holds_it(tmp_path: Path, parts: dict[str, bool]) -> None:
    weights, gaussians = paper_avatar(**parts)
    camera = Camera(np.diag([1.0, -1, -1, 1]), 600.0, 600.0, 32.0, 32.0, 64, 64)
    features = FeatureSpec("deepspeech", 29)
    save_avatar(Avatar("a", gaussians, camera, weights, features), tmp_path / "a.egs")
    loaded = load_avatar(tmp_path / "a.egs").network
    assert loaded is not None and loaded.kind == PAPER and loaded.heads == weights.heads
    assert set(loaded.arrays) == set(weights.arrays)
    assert all(np.array_equal(loaded.arrays[k], v) for k, v in weights.arrays.items())


@pytest.mark.parametrize("kind", [PAPER, EGSTALKER])
def test_a_new_network_moves_next_to_nothing(kind: str) -> None:
    gaussians = random_gaussians(200)
    poses = np.stack([random_pose(i) for i in range(9)])
    plan = NetworkPlan(kind, 29, gaussians.means.min(0), gaussians.means.max(0), poses, 16)
    weights = new_weights(plan, 3)
    assert all(np.array_equal(new_weights(plan, 3).arrays[k], v) for k, v in weights.arrays.items())
    deformer = folded_network.prepare(weights, gaussians)
    moved = deformer.deform_raw(deformer.encode_audio(random_windows()), 0.0, poses[0], 1.0)
    offset = np.abs(moved.means - gaussians.means).max()
    assert 0 < offset < 0.5


@pytest.mark.parametrize("way", ["numpy", "numba", "torch", "plain torch"])
def test_a_further_kind_is_one_entry_of_the_table(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts that no kind combines so far: linear layers, ESAA with positions, an encoder and heads
    of their own for the attributes."""
    kind = replace(
        architecture.KINDS[EGSTALKER], kind="other", kan=False, encoder=True, static=False, heads=4
    )
    monkeypatch.setitem(architecture.KINDS, "other", kind)
    gaussians = random_gaussians(200)
    poses = np.stack([random_pose(i) for i in range(9)])
    low, high = gaussians.means.min(0), gaussians.means.max(0)
    weights = new_weights(NetworkPlan("other", 29, low, high, poses, 8, agents=50), 3)
    assert "encoder.0.weight" in weights.arrays and "pos_deform.1.weight" in weights.arrays
    windows, pose = random_windows(1), random_pose(20)
    expected = reference.forward(weights, gaussians, windows, 0.3, pose).gaussians
    prepare = {
        "numpy": folded_network.prepare,
        "numba": network.prepare,
        "torch": prepare_fast,
        "plain torch": prepare_plain,
    }[way]
    deformer = prepare(weights, gaussians)
    moved = deformer.deform_raw(deformer.encode_audio(windows), 0.3, pose, 1.0)
    for name, value in raw(expected).items():
        assert np.abs(raw(moved)[name] - value).max() < 1e-5, name
    assert np.abs(expected.means - gaussians.means).max() > 1e-3
