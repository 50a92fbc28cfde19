"""The command line in a process of its own, as a render farm runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.egstalker_blender import cli, command

from tests.support.blender import ROOT, clean_environment, python_here, read_png, voice, write_wav
from tests.support.events import events_of
from tests.support.waiting import LIMIT, until

BATCH = ROOT / "egstalker_blender" / "batch.py"
SECONDS = 0.2


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "voice.wav", voice(SECONDS))


def start(tmp_path: Path, *args: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        python_here(BATCH, "--", *args),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(tmp_path / "profile"),
        cwd=tmp_path,
    )


def run(tmp_path: Path, *args: object) -> tuple[int, list[dict[str, Any]], list[str]]:
    """Exit code, JSON lines, lines on stderr."""
    process = start(tmp_path, *args)
    out, err = process.communicate(timeout=LIMIT)
    lines = [line for line in out.splitlines() if line.startswith("{")]
    events = events_of("\n".join(lines)) if "--json" in args else []
    return process.returncode, events, [line for line in err.splitlines() if line]


def test_whole_sound_in_an_empty_scene(tmp_path: Path, avatar_path: Path, sound: Path) -> None:
    options = ("--avatar", avatar_path, "--audio", sound, "--out", "frames", "--engine", "builtin")
    code, events, errors = run(tmp_path, *options, "--json")
    assert (code, errors) == (0, [])
    events = [event for event in events if event["event"] != "note"]  # of a slow machine
    assert [event["event"] for event in events] == ["start", *["progress"] * 5, "done"]
    assert events[0]["total"] == 5 and "builtin" in events[0]["engine"]
    assert [event["number"] for event in events[1:-1]] == [1, 2, 3, 4, 5]
    assert [event["done"] for event in events[1:-1]] == [1, 2, 3, 4, 5]
    assert events[-1]["frames"] == 5 and events[-1]["path"] == str(tmp_path / "frames")
    for event in events[1:-1]:
        path = Path(event["path"])
        assert path == tmp_path / "frames" / f"frame_{event['number']:04d}.png"
        assert path.stat().st_size > 100
    # One frame alone is the same file.
    code, _, _ = run(tmp_path, *options[:-4], "--out", "alone", "--frames", "4", *options[-2:])
    assert code == 0
    alone = tmp_path / "alone" / "frame_0004.png"
    assert [path.name for path in alone.parent.iterdir()] == [alone.name]
    assert alone.read_bytes() == (tmp_path / "frames" / alone.name).read_bytes()


def test_in_a_blend_its_scene_decides(
    scene: Any, tmp_path: Path, avatar_path: Path, sound: Path
) -> None:
    """Frame range, frame rate, camera and size are the scene's; so is the avatar, without one."""
    bpy.ops.egstalker.import_avatar(filepath=str(avatar_path))
    head = bpy.context.object
    bpy.ops.egstalker.link_sound_file(filepath=str(sound), frame=10)
    bpy.ops.egstalker.add_training_camera()
    scene.render.resolution_x, scene.render.resolution_y = 32, 24
    scene.frame_start, scene.frame_end, scene.render.fps = 10, 11, 30
    bpy.context.view_layer.objects.active = head
    blend = tmp_path / "scene.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    # The module takes no .blend as an argument: open it, then do what batch.py does.
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    out = tmp_path / "out"
    options = ["--out", str(out), "--engine", "builtin"]
    assert cli.main([*options, "--camera", "scene", "--format", "exr"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["frame_0010.exr", "frame_0011.exr"]
    assert cli.main([*options, "--camera", "scene", "--frames", "10", "--size", "20x10"]) == 0
    assert read_png(out / "frame_0010.png").shape == (10, 20, 4)
    assert bpy.context.scene.render.fps == 30
    assert cli.main([*options, "--frames", "10"]) == 0
    training = read_png(out / "frame_0010.png")
    assert training.shape[:2] != (10, 20) and np.all(training[..., 3] == 255)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"--avatar": "nothing.egs"}, "nothing.egs"),
        ({"--audio": "nothing.wav"}, "nothing.wav"),
        ({"--frames": "9-3"}, "backwards"),
        ({"--frames": "many"}, "range"),
        ({"--size": "12"}, "WIDTHxHEIGHT"),
        ({"--engine": "abacus"}, "abacus"),
        ({"--worker-python": "nothing", "--engine": "worker"}, "nothing"),
        ({"--avatar": None}, "no avatar"),
        ({"--audio": None}, "no sound"),
        ({"--out": None}, "--out"),
    ],
)
def test_bad_input_is_two_and_one_line(
    scene: Any,
    tmp_path: Path,
    avatar_path: Path,
    sound: Path,
    capsys: pytest.CaptureFixture[str],
    wrong: dict[str, str | None],
    words: str,
) -> None:
    good = {"--avatar": str(avatar_path), "--audio": str(sound), "--out": str(tmp_path / "out")}
    argv = [text for key, value in (good | wrong).items() if value for text in (key, value)]
    assert cli.main(argv) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and words in lines[0]
    assert not (tmp_path / "out").exists()


def test_bad_input_in_a_process(tmp_path: Path, avatar_path: Path) -> None:
    code, events, errors = run(
        tmp_path, "--avatar", avatar_path, "--audio", "nothing.wav", "--out", "out", "--json"
    )
    assert code == 2
    assert len(errors) == 1 and "nothing.wav" in errors[0]
    assert [(event["event"], event["code"]) for event in events] == [("failed", 2)]


def test_a_folder_that_cannot_be_made_is_one(
    scene: Any, tmp_path: Path, avatar_path: Path, sound: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    options = ["--avatar", str(avatar_path), "--audio", str(sound), "--engine", "builtin"]
    assert cli.main([*options, "--out", str(tmp_path / "file")]) == 1


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    assert "--worker-python" in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_finished_frames(
    tmp_path: Path, avatar_path: Path, sound: Path, number: int
) -> None:
    out = tmp_path / "out"
    options = ("--avatar", avatar_path, "--audio", sound, "--out", out, "--frames", "1-5000")
    process = start(tmp_path, *options, "--engine", "builtin", "--json")
    until(lambda: list(out.glob("*.png")) or process.poll() is not None)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=LIMIT)
    assert process.returncode == 130, stderr
    assert "stopped" in stderr
    last = events_of("\n".join(line for line in stdout.splitlines() if line.startswith("{")))[-1]
    assert (last["event"], last["code"]) == ("failed", 130)
    reported = {json.loads(line)["path"] for line in stdout.splitlines() if '"frame"' in line}
    names = [path.name for path in out.iterdir()]
    assert names and all(name.startswith("frame_") and name.endswith(".png") for name in names)
    assert len(reported) in (len(names), len(names) - 1)  # between a file and its line
    assert all(len(path.read_bytes()) > 100 for path in out.iterdir())


def test_blender_knows_the_command() -> None:
    assert command._registered and command.COMMAND == "egstalker"


def test_splats_instead_of_pictures(tmp_path: Path, avatar_path: Path, sound: Path) -> None:
    options = ("--avatar", avatar_path, "--audio", sound, "--engine", "builtin", "--json")
    out = tmp_path / "splats" / "head.usdc"
    code, events, errors = run(tmp_path, *options, "--splats", out, "--step", 2)
    assert (code, errors) == (0, [])
    assert [event["number"] for event in events if event["event"] == "progress"] == [1, 3, 5]
    assert events[-1]["path"] == str(out) and events[-1]["frames"] == 3
    assert [path.name for path in out.parent.iterdir()] == ["head.usdc"]
    code, _, errors = run(tmp_path, *options, "--splats", "a.glb", "--out", "both")
    assert code == 2 and "--splats FILE" in errors[-1]
    code, _, errors = run(tmp_path, *options, "--splats", "a.obj")
    assert code == 2 and "must end in" in errors[-1]
