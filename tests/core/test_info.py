"""`info` from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from core import cli
from core.avatar.file import save_avatar
from core.formats.ply_writer import write_ply
from tests.support.avatar_inputs import FRAMES, SIDE, small_avatar

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _only_these_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "COMMANDS", ("convert", "info"))


def test_json_tells_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.egs"
    content_hash = save_avatar(small_avatar(), path)
    assert cli.main(["info", str(path), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["event"] == "done" and data["sha256"] == content_hash
    assert (data["name"], data["kind"], data["gaussians"]) == ("Mäx", "egstalker", 40)
    assert data["bytes"] == path.stat().st_size
    assert data["part_bytes"]["gaussians"] == 40 * 59 * 4
    assert data["part_bytes"]["plates"] == SIDE * SIDE * 7
    assert data["network"]["agents"] == 200
    assert data["network"]["tri_plane"]["kind"] == "dense"
    assert (data["features"]["kind"], data["features"]["normalisation"]) == ("log-mel", "fixed")
    assert (data["camera"]["width"], data["camera"]["focal"]) == (SIDE, [60.5, 60.5])
    assert (data["plates"], data["track_rows"]) == (["background", "torso"], FRAMES)
    assert (data["licence"], data["provenance"]) == ("CC BY 4.0", {"source": "a test"})


def test_text_tells_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.egs"
    content_hash = save_avatar(small_avatar(), path)
    assert cli.main(["info", str(path)]) == 0
    said = capsys.readouterr().out
    for part in ("egstalker 'Mäx', 40 Gaussians", "log-mel", "normalised: fixed", "24x24 pixels"):
        assert part in said
    for part in ("background, torso", f"{FRAMES} rows, 0.24 s", "CC BY 4.0", content_hash):
        assert part in said


def test_a_still_and_a_ply(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    avatar = small_avatar(network=False)
    write_ply(avatar.gaussians, tmp_path / "x.ply")
    assert cli.main(["info", str(tmp_path / "x.ply"), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["kind"], data["gaussians"], data["sha256"]) == ("still", 40, None)
    save_avatar(avatar, tmp_path / "x.egs")
    assert cli.main(["info", str(tmp_path / "x.egs")]) == 0
    assert "still" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["none.egs", "none.ply", "text.egs", "text.ply", "."])
def test_bad_input_ends_with_code_2(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for suffix in ("egs", "ply"):
        (tmp_path / f"text.{suffix}").write_text("hello, this is no such file")
    assert cli.main(["info", str(tmp_path / name)]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1


def test_a_reader_that_stops_early_sees_no_traceback(tmp_path: Path) -> None:
    save_avatar(small_avatar(), tmp_path / "a.egs")
    command = [sys.executable, "-m", "core", "info", str(tmp_path / "a.egs")]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
