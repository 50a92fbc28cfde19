"""Official output folders: the iteration, the flags, and no code in them is ever run."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import CheckpointError, MissingPackageError, PlyError
from core.network.names import PREFIX
from core.official.cfg_args import frozen_of, read_cfg_args
from core.official.checkpoint import load_checkpoint, read_weights
from core.records.weights import EGSTALKER, GAUSSIANTALKER
from tests.support.avatar_inputs import make_checkpoint, state_dict
from tests.support.synthetic import random_avatar, random_gaussians

CFG = "Namespace(agent_num=120, n_head=8, no_dx=False, no_dshs=True, iterations=10, a=[1, 'b'])"


@pytest.mark.parametrize("kind", [EGSTALKER, GAUSSIANTALKER])
def test_both_kinds_are_read(tmp_path: Path, kind: str) -> None:
    checkpoint = load_checkpoint(make_checkpoint(tmp_path / "run", kind, cfg=CFG))
    weights, _ = random_avatar(kind=kind, resolution=4)
    network = checkpoint.network
    assert (network.kind, network.agents, network.heads) == (kind, 120, 8)
    assert network.frozen == {"sh"}
    assert network.arrays.keys() == weights.arrays.keys()
    assert all(np.array_equal(network.arrays[k], v) for k, v in weights.arrays.items())
    assert checkpoint.provenance["training"] == {"iterations": 10}
    assert checkpoint.notes == ()


def test_without_cfg_args_the_names_tell_kind_and_agents(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(make_checkpoint(tmp_path / "run"))
    network = checkpoint.network
    assert (network.kind, network.agents, network.heads) == (EGSTALKER, 150, None)
    assert network.frozen == frozenset()
    assert "no cfg_args" in checkpoint.notes[0]


def test_the_largest_fine_iteration_or_the_one_asked_for(tmp_path: Path) -> None:
    run = make_checkpoint(tmp_path / "run", iterations=(9, 10, 100))
    (run / "point_cloud/coarse_iteration_2000").mkdir()
    (run / "point_cloud/iteration_best").mkdir()
    assert load_checkpoint(run).iteration == 100
    nine = load_checkpoint(run, 9)
    assert nine.iteration == nine.provenance["iteration"] == 9
    assert np.array_equal(nine.gaussians.means, random_gaussians(20, seed=9).means)
    assert load_checkpoint(run / "point_cloud/iteration_10").iteration == 10
    with pytest.raises(CheckpointError, match="there are: 9, 10, 100"):
        load_checkpoint(run, 11)
    with pytest.raises(CheckpointError, match="another"):
        load_checkpoint(run / "point_cloud/iteration_10", 9)
    with pytest.raises(CheckpointError, match="coarse stage"):
        load_checkpoint(run / "point_cloud/coarse_iteration_2000")


def test_an_iteration_folder_is_found_from_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_checkpoint(tmp_path / "run", cfg=CFG)
    monkeypatch.chdir(run / "point_cloud/iteration_7")
    assert load_checkpoint(".").network.agents == 120


def test_incomplete_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not a folder"):
        load_checkpoint(tmp_path / "none")
    run = tmp_path / "run"
    run.mkdir()
    with pytest.raises(CheckpointError, match="no folder 'point_cloud'"):
        load_checkpoint(run)
    (run / "point_cloud").mkdir()
    with pytest.raises(CheckpointError, match="contains no folder iteration_N"):
        load_checkpoint(run)
    (run / "point_cloud/coarse_iteration_5").mkdir()
    with pytest.raises(CheckpointError, match="coarse iterations only"):
        load_checkpoint(run)
    for name, error in (("point_cloud.ply", "ply is missing"), ("deformation.pth", "pth is miss")):
        broken = make_checkpoint(tmp_path / name)
        (broken / "point_cloud/iteration_7" / name).unlink()
        with pytest.raises(CheckpointError, match=error):
            load_checkpoint(broken)
    broken = make_checkpoint(tmp_path / "cut")
    os.truncate(broken / "point_cloud/iteration_7/point_cloud.ply", 3000)
    with pytest.raises(PlyError, match="cut off"):
        load_checkpoint(broken)


CALLS = [
    "Namespace(n_head=__import__('os').mkdir('hacked'))",
    "Namespace(n_head=[open('hacked', 'w')])",
    "Namespace(n_head=name)",
    "Namespace(n_head=f'{open}')",
]
NO_NAMESPACE = [
    "Namespace(**open('hacked', 'w'))",
    "",
    "Namespace",
    "Namespace(1)",
    "open('hacked', 'w')",
    "{'a': 1}",
    "Namespace(a=1",
]
NO_NAMESPACE += ["a.Namespace(b=1)", "Namespace(a=1)\nNamespace(a=2)", "Namespace(a=" + "(" * 9999]


@pytest.mark.parametrize("text", [*CALLS, *NO_NAMESPACE, "\0"])
def test_cfg_args_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "cfg_args"
    path.write_text(text)
    with pytest.raises(CheckpointError, match="plain value" if text in CALLS else "not one line"):
        read_cfg_args(path)
    if text in CALLS:  # of a setting that nobody reads
        path.write_text(text.replace("n_head", "unread"))
        assert read_cfg_args(path) == {}
    assert os.listdir(tmp_path) == ["cfg_args"]


def test_cfg_args_bytes_and_sizes(tmp_path: Path) -> None:
    path = tmp_path / "cfg_args"
    assert read_cfg_args(path) is None
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(CheckpointError, match="not one line"):
        read_cfg_args(path)
    os.truncate(path, 2**30)
    with pytest.raises(CheckpointError, match="more than"):
        read_cfg_args(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(CheckpointError, match="is a folder"):
        read_cfg_args(path)


def test_every_freeze_flag_has_its_attribute() -> None:
    flags = dict.fromkeys(("no_dx", "no_ds", "no_dr", "no_do", "no_dshs"), True)
    assert frozen_of(flags) == {"means", "scales", "quats", "opacities", "sh"}
    assert frozen_of({"no_dx": True, "no_ds": False}) == {"means"}


@pytest.mark.parametrize("flag", ["no_grid", "empty_voxel", "static_mlp", "apply_rotation"])
def test_variants_that_are_not_built_are_refused(tmp_path: Path, flag: str) -> None:
    run = make_checkpoint(tmp_path / "run", cfg=f"Namespace({flag}=True)")
    with pytest.raises(CheckpointError, match=f"{flag}=True, a variant that is not supported"):
        load_checkpoint(run)


@pytest.mark.parametrize("value", ["0", "'x'", "1.5", "-3", "10**9"])
def test_numbers_of_cfg_args_are_checked(tmp_path: Path, value: str) -> None:
    run = make_checkpoint(tmp_path / "run", cfg=f"Namespace(agent_num={value})")
    with pytest.raises(CheckpointError, match="agent_num"):
        load_checkpoint(run)


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("hacked",)


def test_a_hostile_pickle_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table = state_dict(random_avatar(resolution=4)[0])
    torch.save({**table, "x": Hostile()}, "a.pth")
    with pytest.raises(CheckpointError, match="nothing in it was run"):
        read_weights(tmp_path / "a.pth", {})
    (tmp_path / "b.pth").write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(CheckpointError, match="a Python pickle"):
        read_weights(tmp_path / "b.pth", {})
    assert sorted(os.listdir(tmp_path)) == ["a.pth", "b.pth"]


def test_zip_bombs_are_refused_before_torch_sees_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("torch.load was called")

    monkeypatch.setattr(torch, "load", never)
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data/0", bytes(2**22))
    with pytest.raises(CheckpointError, match="not laid out"):
        read_weights(path, {})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", bytes(2**24 + 1))
    with pytest.raises(CheckpointError, match="not laid out"):
        read_weights(path, {})


def test_damaged_weights_end_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save(state_dict(random_avatar(resolution=4)[0]), path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for round_ in range(40):
        content = bytearray(whole)
        # The pickle with names and shapes stands first.
        for place in rng.integers(0, 9000, 3):
            content[place] ^= 1 << rng.integers(8)
        path.write_bytes(content[: len(content) if round_ % 4 else rng.integers(len(content))])
        try:
            read_weights(path, {})
        except CheckpointError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 20


WEIGHT = f"{PREFIX}null_vector"
WRONG: dict[str, tuple[object, str]] = {
    "missing": (None, "null_vector is missing"),
    "no tensor": ([1.0], "null_vector is missing"),
    "whole numbers": (torch.ones(1, 1, 64, dtype=torch.int64), "null_vector is missing"),
    "sparse": (torch.ones(1, 1, 64).to_sparse(), "null_vector is missing"),
    "endless view": (torch.ones(1).expand(2**40), "null_vector is missing"),
    "shape": (torch.ones(1, 1, 63), "expected 1 x 1 x 64"),
    "NaN": (torch.full((1, 1, 64), torch.nan), "not finite"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_tensors_are_named(tmp_path: Path, name: str) -> None:
    value, message = WRONG[name]
    table: dict[str, object] = dict(state_dict(random_avatar(resolution=4)[0]))
    table[WEIGHT] = value
    if value is None:
        del table[WEIGHT]
    torch.save(table, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=message):
        read_weights(tmp_path / "a.pth", {})


@pytest.mark.parametrize("content", [{}, [1], {"a": torch.ones(3)}, {1: torch.ones(3)}])
def test_files_of_something_else_are_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"neither EGSTalker|no table of named tensors"):
        read_weights(tmp_path / "a.pth", {})


def test_half_precision_weights_become_float32(tmp_path: Path) -> None:
    table = state_dict(random_avatar(resolution=4)[0])
    torch.save({name: tensor.half() for name, tensor in table.items()}, tmp_path / "a.pth")
    arrays = read_weights(tmp_path / "a.pth", {}).arrays
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}


def test_without_torch_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_checkpoint(tmp_path / "run")
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(MissingPackageError, match="pip install torch"):
        load_checkpoint(run)


def test_the_reference_cfg_args(shared: Path) -> None:
    settings = read_cfg_args(shared / "reference/reference_cfg_args.txt")
    assert settings is not None
    assert (settings["agent_num"], settings["n_head"]) == (200, 16)
    assert frozen_of(settings) == frozenset()
