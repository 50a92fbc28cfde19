"""Checkpoints as users have them: wrapped, prefixed, of other types and layouts."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import CheckpointError, PlyError
from core.formats.ply import read_ply
from core.formats.torch_file import MAX_PICKLE, OLD_LAYOUT
from core.official.cfg_args import frozen_of, read_cfg_args
from core.official.checkpoint import load_checkpoint, read_weights
from tests.support.avatar_inputs import make_checkpoint, state_dict
from tests.support.synthetic import random_avatar

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    return state_dict(random_avatar(resolution=4)[0])


def renamed(state: State, change: Callable[[str], str]) -> State:
    return {change(name): tensor for name, tensor in state.items()}


WRAPPED: dict[str, Callable[[State], object]] = {
    "DataParallel": lambda s: renamed(s, "module.{}".format),
    "compile": lambda s: renamed(s, "_orig_mod.{}".format),
    "both": lambda s: renamed(s, "_orig_mod.module.{}".format),
    "the network alone in DataParallel": lambda s: renamed(
        s, lambda n: n.replace("deformation_net.", "deformation_net.module.")
    ),
    "a part that was compiled": lambda s: renamed(
        s, lambda n: n.replace("transformer.", "transformer._orig_mod.")
    ),
    "a larger model": lambda s: renamed(s, "model._deformation.{}".format),
    "without the official prefix": lambda s: renamed(
        s, lambda n: n.removeprefix("deformation_net.")
    ),
    "state_dict": lambda s: {"epoch": 3, "state_dict": s, "optimizer": {"state": {}}},
    "model in checkpoint": lambda s: {"iteration": 7, "model": {"state_dict": s}},
    "tuple with the iteration": lambda s: (s, 10_000),
    "list with an optimiser that is empty": lambda s: [s, {}, 3],
    "parameters": lambda s: {n: torch.nn.Parameter(t) for n, t in s.items()},
}


@pytest.mark.parametrize("name", WRAPPED)
def test_wrapped_states_are_the_same_network(tmp_path: Path, state: State, name: str) -> None:
    torch.save(WRAPPED[name](state), tmp_path / "a.pth")
    assert_weights(tmp_path / "a.pth")


def assert_weights(path: Path, tolerance: float = 0.0) -> None:
    network, (weights, _) = read_weights(path, {}), random_avatar(resolution=4)
    assert network.agents == 150 and network.arrays.keys() == weights.arrays.keys()
    for name, array in weights.arrays.items():
        assert network.arrays[name].dtype == np.float32
        np.testing.assert_allclose(network.arrays[name], array, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float64, 0), (torch.float16, 1e-3), (torch.bfloat16, 1e-2)],
)
def test_other_types_become_float32(
    tmp_path: Path, state: State, dtype: torch.dtype, tolerance: float
) -> None:
    torch.save({name: tensor.to(dtype) for name, tensor in state.items()}, tmp_path / "a.pth")
    assert_weights(tmp_path / "a.pth", tolerance)


def test_the_layout_before_torch_1_6(tmp_path: Path, state: State) -> None:
    path = tmp_path / "a.pth"
    torch.save(state, path, _use_new_zipfile_serialization=False)
    assert path.read_bytes().startswith(OLD_LAYOUT)
    assert_weights(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(CheckpointError, match="damaged"):
        read_weights(path, {})
    path.write_bytes(whole + bytes(MAX_PICKLE))
    with pytest.raises(CheckpointError, match=r"before 1\.6.*save it again"):
        read_weights(path, {})


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (Path("hacked"),)


def test_no_layout_runs_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number, old in enumerate((False, True)):
        path = tmp_path / f"{number}.pth"
        torch.save({"x": Hostile()}, path, _use_new_zipfile_serialization=old)
        with pytest.raises(CheckpointError, match=r"names .*nothing in it was run.*state_dict"):
            read_weights(path, {})
    assert not (tmp_path / "hacked").exists()


def test_a_class_that_tensors_do_not_need_is_named(tmp_path: Path, state: State) -> None:
    import argparse

    torch.save({"state_dict": state, "args": argparse.Namespace(a=1)}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"names argparse\.Namespace, which"):
        read_weights(tmp_path / "a.pth", {})


def script(path: Path) -> None:
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(path))


NO_WEIGHTS: dict[str, tuple[bytes | Callable[[Path], None], str]] = {
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "page": (b"\n<!DOCTYPE html><html></html>", "a web page"),
    "empty": (b"", "is empty"),
    "zeros": (bytes(4096), "nothing but zeros"),
    "pickle": (pickle.dumps({"a": 1}), "a Python pickle, which"),
    "cut": (b"PK\3\4" + bytes(500), "cut off"),
    "text": (b"hello", "not a PyTorch file"),
    "tar": (b"x" * 257 + b"ustar\0" + bytes(300), "before 0.1.10"),
    "script": (script, "TorchScript"),
}


# torch.jit says that it is going out of use.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("name", NO_WEIGHTS)
def test_what_is_no_checkpoint_is_named(tmp_path: Path, name: str) -> None:
    content, message = NO_WEIGHTS[name]
    path = tmp_path / "deformation.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content(path)
    with pytest.raises(CheckpointError, match=message):
        read_weights(path, {})


def test_a_ply_that_was_not_downloaded_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.ply"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(PlyError, match="git lfs pull"):
        read_ply(path)


CFG = {
    r"Namespace(source_path='C:\Users\new\x', model_path='D:\', n_head=8)": {"n_head": 8},
    "Namespace(source_path='C:\\\\Users\\\\x', n_head=8)": {
        "source_path": "C:\\Users\\x", "n_head": 8},
    "\ufeffNamespace(a=WindowsPath('C:/x'), t=inf, no_dshs=True, d=device(type='cuda'))\r\n":
        {"no_dshs": True},
    "Namespace()": {},
}  # fmt: skip


@pytest.mark.parametrize("text", CFG)
def test_odd_settings(tmp_path: Path, text: str) -> None:
    (tmp_path / "cfg_args").write_text(text, encoding="utf-8")
    found = read_cfg_args(tmp_path / "cfg_args")
    assert found is not None
    paths = ("source_path", "model_path")
    assert {k: v for k, v in found.items() if k not in paths} == {
        k: v for k, v in CFG[text].items() if k not in paths
    }


def test_settings_of_another_encoding(tmp_path: Path) -> None:
    text = "Namespace(source_path='/home/Jürgen', no_dx=True)"
    (tmp_path / "cfg_args").write_bytes(text.encode("cp1252"))
    assert frozen_of(read_cfg_args(tmp_path / "cfg_args") or {}) == {"means"}


@pytest.mark.parametrize("value", ["True", "float('inf')"])
def test_settings_that_are_used_must_be_plain(tmp_path: Path, value: str) -> None:
    run = make_checkpoint(tmp_path / "run", cfg=f"Namespace(agent_num={value})")
    with pytest.raises(CheckpointError, match="agent_num"):
        load_checkpoint(run)


def test_any_part_of_the_folder_will_do(tmp_path: Path) -> None:
    run = make_checkpoint(tmp_path / "run", cfg="Namespace(agent_num=120)")
    cloud = run / "point_cloud"
    for source in (run, cloud, cloud / "iteration_7", cloud / "iteration_7/deformation.pth"):
        found = load_checkpoint(source)
        assert (found.iteration, found.network.agents) == (7, 120)
    alone = (cloud / "iteration_7").rename(tmp_path / "a copy")
    found = load_checkpoint(alone)
    assert found.iteration == 0 and "iteration" not in found.provenance
    (run / "cfg_args").rename(alone / "cfg_args")
    assert load_checkpoint(alone).network.agents == 120


def test_a_name_that_is_no_text(tmp_path: Path, state: State) -> None:
    torch.save(state, tmp_path / "a.pth")
    assert_weights((tmp_path / "a.pth").rename(tmp_path / "\udcff.pth"))
