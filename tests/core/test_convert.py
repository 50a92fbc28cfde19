"""`convert` from the command line: exit codes, notes, and no partial file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from core import cli
from core.avatar.file import load_avatar
from core.formats.ply_writer import write_ply
from tests.support.avatar_inputs import make_checkpoint, make_dataset, make_mel_stats
from tests.support.events import events_of
from tests.support.synthetic import random_gaussians


@pytest.fixture(autouse=True)
def _only_these_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "COMMANDS", ("convert", "info"))


def run(*args: object) -> int:
    return cli.main(["convert", *(str(arg) for arg in args)])


def test_a_checkpoint_with_its_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = make_checkpoint(tmp_path / "run", cfg="Namespace(no_do=True)")
    dataset = make_dataset(tmp_path / "d")
    make_mel_stats(dataset / "mel.npz")
    out = tmp_path / "x.egs"
    arguments = ["--name", "Anna", "--licence", "CC0", "--torso-frame", 10, "--json"]
    assert run(checkpoint, out, "--dataset", dataset, *arguments) == 0
    first, result = events_of(capsys.readouterr().out)
    assert first["event"] == "start"
    avatar = load_avatar(out)
    assert result == {
        "event": "done",
        "path": str(out),
        "file": str(out),
        "kind": "egstalker",
        "gaussians": 20,
        "bytes": out.stat().st_size,
        "sha256": avatar.content_hash,
        "notes": [],
    }
    assert (avatar.name, avatar.licence, avatar.provenance["iteration"]) == ("Anna", "CC0", 7)
    assert avatar.network is not None and avatar.features is not None
    assert avatar.network.frozen == {"opacities"}
    assert (avatar.features.kind, avatar.features.normalisation) == ("log-mel", "fixed")
    assert avatar.track is not None and avatar.background is not None


def test_a_checkpoint_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "x.egs"
    assert run(make_checkpoint(tmp_path / "run"), out) == 0
    avatar = load_avatar(out)
    assert (avatar.name, avatar.background, avatar.track) == ("run", None, None)
    assert (avatar.camera.fx, avatar.camera.width, avatar.camera.viewmat[2, 3]) == (1200, 512, 7.7)
    assert avatar.features is not None and avatar.features.kind == "deepspeech"
    printed = capsys.readouterr()
    assert "note: no cfg_args" in printed.err and "note: sound features" in printed.err
    assert printed.out.startswith(f"{out}: ") and printed.out.count("\n") == 1
    assert run(tmp_path / "run", out, "--json") == 0
    *notes, last = events_of(capsys.readouterr().out)[1:]
    assert [event["text"] for event in notes] == last["notes"] != []


def test_a_ply_becomes_a_still(tmp_path: Path) -> None:
    gaussians = random_gaussians(30)
    write_ply(gaussians, tmp_path / "head.PLY")
    assert run(tmp_path / "head.PLY", tmp_path / "x.egs") == 0
    avatar = load_avatar(tmp_path / "x.egs")
    assert (avatar.name, avatar.network, avatar.features) == ("head", None, None)
    assert np.array_equal(avatar.gaussians.sh, gaussians.sh)
    assert (
        run(tmp_path / "head.PLY", tmp_path / "x.egs", "--dataset", make_dataset(tmp_path / "d"))
        == 0
    )
    assert load_avatar(tmp_path / "x.egs").background is not None


def test_half_is_smaller(tmp_path: Path) -> None:
    checkpoint = make_checkpoint(tmp_path / "run")
    assert run(checkpoint, tmp_path / "x.egs") == run(checkpoint, tmp_path / "y.egs", "--half") == 0
    assert (tmp_path / "y.egs").stat().st_size < (tmp_path / "x.egs").stat().st_size


REFUSED: dict[str, list[str]] = {
    "nothing there": ["nowhere"],
    "a file": ["run/cfg_args"],
    "no such ply": ["nowhere.ply"],
    "iteration": ["run", "--iteration", "8"],
    "iteration of a ply": ["head.ply", "--iteration", "8"],
    "features of a ply": ["head.ply", "--features", "hubert"],
    "torso without dataset": ["run", "--torso-frame", "1"],
    "no such torso": ["run", "--dataset", "d", "--torso-frame", "1"],
    "no such dataset": ["run", "--dataset", "run"],
    "statistics of other features": ["run", "--features", "hubert", "--feature-stats", "s.npz"],
    "no such statistics": ["run", "--feature-stats", "none.npz"],
    "hostile settings": ["hostile"],
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_ends_with_code_2_and_no_file(
    tmp_path: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    make_checkpoint(tmp_path / "run", cfg="Namespace()")
    make_checkpoint(tmp_path / "hostile", cfg="Namespace(n_head=open('hacked', 'w'))")
    make_dataset(tmp_path / "d")
    make_mel_stats(tmp_path / "s.npz")
    write_ply(random_gaussians(9), tmp_path / "head.ply")
    before = sorted(os.listdir(tmp_path))
    source, *options = REFUSED[name]
    assert run(source, "x.egs", *options) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert sorted(os.listdir(tmp_path)) == before


def test_an_output_that_cannot_be_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = make_checkpoint(tmp_path / "run")
    assert run(checkpoint, tmp_path / "x.ply") == 2
    assert "must end in .egs" in capsys.readouterr().err
    assert run(checkpoint, tmp_path / "no" / "x.egs") == 1
    assert "create it first" in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["run"]
