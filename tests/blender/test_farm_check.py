"""`--check`, path mapping and .blend files that could not be opened."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import pytest
from egstalker.core.errors import ArgumentError
from egstalker.egstalker_blender import cli
from egstalker.egstalker_blender.farm.opened import check_opened, map_paths

from tests.support.blender import make_avatar, voice, write_wav


@pytest.fixture
def shot(scene: Any, head: Any, tmp_path: Path) -> Iterator[Path]:
    """A saved scene with full paths, open."""
    bpy.context.preferences.filepaths.use_relative_paths = False
    blend = tmp_path / "Szene №1 100% {x}.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend), relative_remap=False)
    yield blend
    bpy.context.preferences.filepaths.use_relative_paths = True


def checks(
    capsys: pytest.CaptureFixture[str], *options: object
) -> tuple[int, dict[str, tuple[str, str]]]:
    """Exit code; name -> state and text."""
    capsys.readouterr()
    code = cli.main(["--check", "--json", "--engine", "builtin", *map(str, options)])
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["event"] == ("failed" if code else "done")
    return code, {found["name"]: (found["state"], found["text"]) for found in last["checks"]}


def test_everything_is_checked_and_nothing_written(
    shot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = checks(capsys, "--out", tmp_path / "new" / "out")
    assert code == 0 and not (tmp_path / "new").exists()
    assert {state for state, _ in found.values()} == {"ok"}
    assert [*found] == ["version", "scene", "avatar", "sound", "frames", "disk", "engine", "output"]
    texts = {name: text for name, (_, text) in found.items()}
    assert bpy.app.version_string in texts["version"] and texts["scene"] == str(shot)
    assert bpy.context.object.egstalker.content_hash in texts["avatar"]
    assert texts["frames"].startswith("2-4, 3 of 56x48 as png")
    assert texts["engine"].startswith("builtin: numpy")
    # For people: the same, one line each.
    assert cli.main(["--check", "--engine", "builtin", "--out", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["ok", name] for name in found]


def test_all_faults_are_named_at_once(
    shot: Path, avatar_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    options = ("--out", tmp_path / "file", "--worker-python", tmp_path / "nothing")
    code, found = checks(capsys, *options, "--engine", "worker")
    assert code == 2
    assert {name for name, (state, _) in found.items() if state == "failed"} == {"engine", "output"}
    make_avatar(tmp_path / "other.egs", n=50)
    bpy.context.object.egstalker.avatar_path = str(tmp_path / "other.egs")
    write_wav(tmp_path / "voice.wav", voice(0.1)).write_bytes(b"RIFF no sound")
    code, found = checks(capsys, "--out", tmp_path / "out")
    assert code == 2 and found["avatar"][0] == "failed"
    assert "import the avatar again" in found["avatar"][1]
    (tmp_path / "voice.wav").unlink()
    code, found = checks(capsys, "--out", tmp_path / "out")
    assert code == 2 and "voice.wav" in found["scene"][1]
    code, found = checks(capsys, "--out", tmp_path / "out", "--frames", "9-3")
    assert code == 2 and found["output"][0] == "ok"


def test_a_check_is_for_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options in (["--video", "a.mp4"], ["--splats", "a.ply"]):
        assert cli.main(["--check", *options]) == 2
        assert "--out DIR alone" in capsys.readouterr().err


def test_files_of_another_machine_are_found(
    shot: Path, avatar_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The head's sound and avatar lie elsewhere; the rules of the session lead there."""
    out, there = tmp_path / "out", tmp_path / "Knoten ß"
    there.mkdir()
    os.replace(tmp_path / "voice.wav", there / "voice.wav")
    options = ["--out", str(out), "--engine", "builtin", "--frames", "2"]
    assert cli.main(options) == 2
    assert "voice.wav" in capsys.readouterr().err and not out.exists()
    rule = {"source_path_format": "POSIX", "source_path": str(tmp_path),
            "destination_path": str(there)}  # fmt: skip
    (tmp_path / "rules.json").write_text(json.dumps({"path_mapping_rules": [rule]}))
    bpy.ops.wm.open_mainfile(filepath=str(shot))
    assert cli.main([*options, "--path-mapping", str(tmp_path / "rules.json")]) == 0
    assert [path.name for path in out.iterdir()] == ["frame_0002.png"]
    assert cli.main([*options, "--path-mapping", str(tmp_path / "nothing.json")]) == 2


def test_a_share_of_a_network_is_mapped_and_a_relative_path_is_not(
    head: Any, tmp_path: Path
) -> None:
    """In Blender `//` is the folder of the .blend, whatever stands behind it."""
    rule = {"source_path_format": "WINDOWS", "source_path": r"\\Büro\頭 №1",
            "destination_path": f"/{tmp_path}"}  # fmt: skip
    (tmp_path / "rules.json").write_text(json.dumps({"path_mapping_rules": [rule]}))
    for path, here in (
        (r"\\BÜRO\頭 №1\Ünï {x}\head.egs", f"{tmp_path}/Ünï {{x}}/head.egs"),
        ("//Büro/頭 №1/head.egs", "//Büro/頭 №1/head.egs"),
        (r"\\Büro\other\head.egs", r"\\Büro\other\head.egs"),
    ):
        head.egstalker.avatar_path = path
        assert head.egstalker.avatar_path == path
        map_paths(tmp_path / "rules.json")
        assert head.egstalker.avatar_path == here


def test_threads_change_no_picture(shot: Path, tmp_path: Path) -> None:
    options = ["--engine", "builtin", "--frames", "3"]
    for threads in ("1", "3"):
        out = ["--out", str(tmp_path / threads), "--threads", threads]
        assert cli.main([*options, *out]) == 0
    one, three = (tmp_path / name / "frame_0003.png" for name in "13")
    assert one.read_bytes() == three.read_bytes()
    assert cli.main([*options, "--out", str(tmp_path / "no"), "--threads", "0"]) == 2


# A .blend that is not the one --------------------------------------------------------------------


def test_a_blend_that_could_not_be_opened(scene: Any, tmp_path: Path) -> None:
    """Blender may go on with an empty scene."""
    words = ["blender", "-b", str(tmp_path / "typo.blend"), "--python", "batch.py", "--", "--out"]
    with pytest.raises(ArgumentError, match=r"typo\.blend could not be opened: it does not exist"):
        check_opened(words)
    (tmp_path / "typo.blend").write_bytes(b"BLENDER")
    with pytest.raises(ArgumentError, match="it is damaged or newer"):
        check_opened(words)
    check_opened(["blender", "-b", "--python", "batch.py", "--", "--video", "a.blend"])
    check_opened(["blender", "--command", "egstalker", "--avatar", "a.blend"])


def test_a_blend_that_was_removed_is_not_baked(
    shot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shot.unlink()
    assert cli.main(["--out", str(tmp_path / "out"), "--engine", "builtin"]) == 2
    assert "does not exist" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_blend_of_a_newer_blender_is_refused(
    shot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its header says so; this Blender opens it, without what it does not know."""
    bpy.ops.wm.save_as_mainfile(filepath=str(shot), compress=False)
    data = shot.read_bytes()
    place = data.index(b"v", 7) + 1
    digits = data[place : place + 4]
    digits = digits if digits.isdigit() else digits[:3]
    newer = b"%0*d" % (len(digits), int(digits) + 50)
    (tmp_path / "newer.blend").write_bytes(data[:place] + newer + data[place + len(digits) :])
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "newer.blend"))
    assert cli.main(["--out", str(tmp_path / "out"), "--engine", "builtin"]) == 2
    error = capsys.readouterr().err
    assert "was saved by Blender" in error and not (tmp_path / "out").exists()
