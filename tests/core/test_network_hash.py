"""The tri-plane of hash tables: equal in numpy, numba and torch, right gradients, wrong files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from core import cli
from core.avatar.file import load_avatar, save_avatar
from core.avatar.summary import summarise
from core.errors import AvatarFileError, CheckpointError
from core.formats.safetensors import read_tensors, write_tensors
from core.network.architecture import architecture_of
from core.network.build import NetworkPlan, new_weights
from core.network.checks import check_weights
from core.network.names import HASH_LEVELS, HASH_TABLE, is_grid
from core.network.numpy import hash_grid, triplane
from core.network.numpy.hash_grid import levels_of, new_levels, rows_at
from core.network.torch import hash_grid as hash_torch
from core.network.torch import layers
from core.records.avatar import Avatar
from core.records.camera import Camera
from core.records.feature_spec import FeatureSpec
from core.records.weights import PAPER, NetworkWeights
from tests.support.synthetic import random_paper_avatar

LEVELS = new_levels(5, 4, 40, 64)


def grid(dtype: type = np.float32, levels: np.ndarray = LEVELS) -> dict[str, np.ndarray]:
    rows = 3 * int(levels[:, 1].sum())
    table = np.random.default_rng(0).normal(size=(rows, 3)).astype(dtype)
    return {HASH_LEVELS: levels, HASH_TABLE: table}


def points(count: int = 300, dtype: type = np.float32) -> np.ndarray:
    """Some lie outside the box."""
    return np.random.default_rng(1).uniform(-1.2, 1.2, (count, 3)).astype(dtype)


def with_level(weights: NetworkWeights, level: tuple[float, float]) -> NetworkWeights:
    levels = weights.arrays[HASH_LEVELS].copy()
    levels[-1] = level
    return replace(weights, arrays={**weights.arrays, HASH_LEVELS: levels})


def avatar_of(weights: NetworkWeights, gaussians: object) -> Avatar:
    camera = Camera(np.diag([1.0, -1, -1, 1]), 600.0, 600.0, 32.0, 32.0, 64, 64)
    return Avatar("a", gaussians, camera, weights, FeatureSpec("deepspeech", 29))


def test_levels_grow_by_one_factor_and_are_dense_where_they_fit() -> None:
    levels = levels_of(new_levels(8, 16, 256, 4096))
    sides = [level.side for level in levels]
    assert (sides[0], sides[-1]) == (16, 256)
    growth = np.array(sides[1:]) / sides[:-1]
    assert np.ptp(growth) < 0.06
    assert [level.rows == level.side**2 for level in levels] == [side <= 64 for side in sides]
    assert all(level.rows == 4096 for level in levels if level.side > 64)
    assert [level.first for level in levels[:3]] == [0, 3 * 16**2, 3 * (16**2 + sides[1] ** 2)]


def test_a_vertex_has_its_own_row_or_a_random_one() -> None:
    """Of k vertices in T rows, a random function lets 1 - (1 - 1/T)^(k - 1) share a row."""
    dense, hashed = levels_of(np.array([[64, 4096], [1024, 4096]]))
    y, x = (axis.ravel().astype(np.int64) for axis in np.mgrid[:64, :64])
    assert np.array_equal(np.sort(rows_at(x, y, dense)), np.arange(4096))
    rng = np.random.default_rng(0)
    x, y = np.divmod(rng.choice(1024**2, 2000, replace=False), 1024)
    rows = rows_at(x, y, hashed)
    assert rows.min() >= 0 and rows.max() < 4096
    alone = np.bincount(rows)[rows] == 1
    assert 1 - alone.mean() == pytest.approx(1 - (1 - 1 / 4096) ** 1999, abs=0.05)


def test_numpy_numba_and_torch_give_the_same_features() -> None:
    arrays, at = grid(), points()
    table, given = torch.from_numpy(arrays[HASH_TABLE]), torch.from_numpy(at)
    expected = hash_grid.features(arrays, at)
    assert expected.shape == (300, 15) and np.ptp(expected) > 1
    fast = hash_torch.features(table, torch.from_numpy(LEVELS), given)
    plain = hash_torch.plain(table, levels_of(LEVELS), given)
    assert np.abs(fast.numpy() - expected).max() < 1e-5
    assert np.abs(plain.numpy() - expected).max() < 1e-5


def test_a_level_without_collisions_is_a_dense_plane() -> None:
    """Dense planes of the same values give the same features."""
    arrays = grid(levels=np.array([[8.0, 64.0]], np.float32))
    planes = arrays[HASH_TABLE].reshape(3, 8, 8, 3).transpose(0, 3, 1, 2)
    box = np.stack([np.full(3, -1), np.ones(3)]).astype(np.float32)
    dense = {f"tri_plane.grid.grids.0.{k}": planes[k][None] for k in range(3)}
    expected = triplane.features({"tri_plane.grid.aabb": box, **dense}, points())
    assert np.abs(hash_grid.features(arrays, points()) - expected).max() < 1e-5


@pytest.mark.parametrize("way", ["numba", "torch"])
def test_gradients_meet_finite_differences(way: str) -> None:
    arrays = grid(np.float64)
    levels = torch.from_numpy(LEVELS)

    def run(at: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
        if way == "torch":
            return hash_torch.plain(table, levels_of(LEVELS), at)
        return hash_torch.features(table, levels, at)

    at = torch.from_numpy(points(20, np.float64)).requires_grad_()
    table = torch.from_numpy(arrays[HASH_TABLE]).requires_grad_()
    assert gradcheck(run, (at, table), fast_mode=True, atol=1e-6)


def test_numbas_gradients_are_torchs() -> None:
    slopes = []
    for way in (hash_torch.plain, None):
        table = torch.from_numpy(grid()[HASH_TABLE]).requires_grad_()
        at = torch.from_numpy(points()).requires_grad_()
        if way is None:
            out = hash_torch.features(table, torch.from_numpy(LEVELS), at)
        else:
            out = way(table, levels_of(LEVELS), at)
        out.sin().sum().backward()
        slopes.append((at.grad, table.grad))
    for one, other in zip(*slopes, strict=True):
        assert one.abs().max() > 1
        torch.testing.assert_close(one, other, rtol=1e-4, atol=2e-4)


def test_shared_rows_are_counted() -> None:
    arrays, at = grid(), points(40)
    shares = hash_grid.shared(arrays, at)
    assert shares[0] == 0  # 4 x 4 vertices in 16 rows
    level = levels_of(LEVELS)[-1]
    used = set()
    for plane, (a, b) in enumerate(triplane.PLANES):
        low = np.floor((np.clip(at, -1, 1) + 1) * (level.side - 1) / 2).astype(int)
        for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
            for x, y in zip(low[:, a] + dx, low[:, b] + dy, strict=True):
                used.add((plane, min(x, level.side - 1), min(y, level.side - 1)))
    rows = [(plane, int(rows_at(np.int64(x), np.int64(y), level))) for plane, x, y in used]
    expected = sum(rows.count(row) > 1 for row in rows) / len(rows)
    assert 0.5 < expected < 1 and shares[-1] == pytest.approx(expected)


@pytest.mark.parametrize(
    "level",
    [(40, 63), (40, 0), (40, -64), (1, 1), (5000, 64), (40.5, 64), (40, 64.5), (8, 128), (40, 2e9)],
)
def test_impossible_levels_are_refused(level: tuple[float, float], tmp_path: Path) -> None:
    weights, gaussians = random_paper_avatar(50)
    wrong = with_level(weights, level)
    with pytest.raises(CheckpointError, match=HASH_LEVELS):
        check_weights(wrong)
    save_avatar(avatar_of(weights, gaussians), tmp_path / "a.egs")
    tensors, metadata, _ = read_tensors(tmp_path / "a.egs")
    tensors[f"network.{HASH_LEVELS}"] = wrong.arrays[HASH_LEVELS]
    write_tensors(tmp_path / "a.egs", tensors, metadata)
    with pytest.raises(AvatarFileError, match=HASH_LEVELS):
        load_avatar(tmp_path / "a.egs")


def test_a_table_of_another_size_is_refused() -> None:
    weights, _ = random_paper_avatar(50)
    levels, table = weights.arrays[HASH_LEVELS], weights.arrays[HASH_TABLE]
    for name, array in ((HASH_TABLE, table[:-1]), (HASH_LEVELS, np.repeat(levels, 9, axis=0))):
        with pytest.raises(CheckpointError, match=name):
            check_weights(replace(weights, arrays={**weights.arrays, name: array}))
    with pytest.raises(CheckpointError, match=f"{HASH_LEVELS}.*not finite"):
        check_weights(with_level(weights, (np.nan, 64)))


def test_half_stores_the_table_as_float16(tmp_path: Path) -> None:
    weights, gaussians = random_paper_avatar(50)
    save_avatar(avatar_of(weights, gaussians), tmp_path / "half.egs", half=True)
    stored = read_tensors(tmp_path / "half.egs")[0]
    assert stored[f"network.{HASH_TABLE}"].dtype == np.float16
    assert stored[f"network.{HASH_LEVELS}"].dtype == np.float32
    loaded = load_avatar(tmp_path / "half.egs").network
    assert loaded is not None
    assert np.array_equal(loaded.arrays[HASH_LEVELS], weights.arrays[HASH_LEVELS])
    assert np.abs(loaded.arrays[HASH_TABLE] - weights.arrays[HASH_TABLE]).max() < 1e-3


def test_the_encoder_takes_any_number_of_features() -> None:
    weights, gaussians = random_paper_avatar(50, hash_levels=3, hash_features=5, hash_rows=32)
    assert weights.arrays["encoder.0.base_weight"].shape == (64, 15)
    check_weights(weights)
    p = {name: torch.from_numpy(array) for name, array in weights.arrays.items()}
    x = triplane.encoded(weights.arrays, architecture_of(weights), gaussians.means)
    other = layers.encoded(p, torch.from_numpy(gaussians.means)).numpy()
    assert x.shape == (50, 64) and np.abs(x - other).max() < 1e-5


def test_info_tells_the_levels_and_how_many_vertices_share_a_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, gaussians = random_paper_avatar(400, hash_rows=64)
    save_avatar(avatar_of(weights, gaussians), tmp_path / "a.egs")
    told = summarise(tmp_path / "a.egs")["network"]["tri_plane"]
    assert (told["sides"][0], told["rows"][0], told["shared"][0]) == (4, 16, 0)
    assert (told["sides"][-1], told["rows"][-1]) == (64, 64) and told["shared"][-1] > 0.9
    assert cli.main(["info", str(tmp_path / "a.egs")]) == 0
    assert "tri-plane   hash, sides 4 " in capsys.readouterr().out


def test_dense_planes_can_be_chosen() -> None:
    box = np.ones(3)
    plan = NetworkPlan(PAPER, 6, -box, box, np.zeros((3, 12)), 8, 4, hashed=False)
    names = set(new_weights(plan, 0).arrays)
    assert HASH_TABLE not in names and sum(map(is_grid, names)) == 6
    hashed = set(new_weights(replace(plan, hashed=True), 0).arrays)
    assert [name for name in hashed if is_grid(name)] == [HASH_TABLE]
    assert layers.grid_name(0, 0) not in hashed
