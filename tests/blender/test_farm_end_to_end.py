"""Whole farm jobs on this machine: Open Job Description's own runner, Flamenco's commands, BAT.

One Blender is enough for these; `node`, `openjd` and `bat` are skipped where they are missing.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import pytest
from egstalker.egstalker_blender import cli, engines

from tests.support.blender import ROOT, clean_environment, make_avatar, names, voice, write_wav
from tests.support.blender_program import KILL_AT, program
from tests.support.farm import SAVED, STEP, command_line, compiled, tool
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.skipif(bpy.app.version < (5, 3, 0), reason="tried in Blender 5.3")
FRAMES, CHUNK = range(1, 7), 2


@dataclass
class Shot:
    """A scene on disk with full paths, its job, and its frames of one run."""

    folder: Path
    bundle: Path
    expected: dict[str, bytes]

    @property
    def blend(self) -> Path:
        return self.folder / "Schnitt №1.blend"

    def blender(self, **environment: str) -> Path:
        values = {"BLENDER_USER_RESOURCES": str(self.folder / "profile"), **environment}
        return program(self.folder / "blender", **values)


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shot]:
    folder = tmp_path_factory.mktemp("farm") / "Köpfe 100% {x}"
    folder.mkdir()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene, files = bpy.context.scene, bpy.context.preferences.filepaths
    scene.render.fps, files.use_relative_paths = 25, False
    bpy.ops.egstalker.import_avatar(filepath=str(make_avatar(folder / "head.egs")))
    sound = write_wav(folder / "Stimme [final].wav", voice(0.5))
    bpy.ops.egstalker.link_sound_file(filepath=str(sound))
    scene.frame_start, scene.frame_end = FRAMES[0], FRAMES[-1]
    made = Shot(folder, folder / "bundle", {})
    # BAT reads a compressed .blend only with one more package.
    bpy.ops.wm.save_as_mainfile(filepath=str(made.blend), relative_remap=False, compress=False)
    options = ["--engine", "builtin", "--out", str(folder / "out")]
    assert cli.main([*options, "--write-farm-job", str(made.bundle), "--chunk", str(CHUNK)]) == 0
    script = str(ROOT / "egstalker_blender" / "batch.py")
    command = [str(made.blender()), "-b", str(made.blend), "--python", script, "--", *options]
    subprocess.run(command, check=True, capture_output=True, timeout=LIMIT)
    (folder / "out").rename(folder / "expected")
    made.expected.update(contents(folder / "expected"))
    assert [*made.expected] == [f"frame_{number:04d}.png" for number in FRAMES]
    yield made
    files.use_relative_paths = True
    engines.close()


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names(folder)}


def openjd_run(shot: Shot, blender: Path, *options: object) -> subprocess.CompletedProcess[str]:
    values = f"file://{shot.bundle / 'openjd_values.json'}"
    command = [tool("openjd"), "run", shot.bundle / "template.json", "-p", values,
               "-p", f"Blender={blender}", *options]  # fmt: skip
    return subprocess.run(
        [*map(str, command)], capture_output=True, text=True, check=False, timeout=LIMIT,
        env=clean_environment(shot.folder / "profile"),
    )  # fmt: skip


def test_a_job_whose_second_task_is_killed_ends_with_the_files_of_one_run(shot: Shot) -> None:
    out = shot.folder / "out"
    done = openjd_run(shot, shot.blender(**{KILL_AT: str(out / "frame_0004.png")}))
    assert done.returncode != 0, done.stdout
    # Whole frames, and the one that was being written, under its temporary name.
    whole = {name: data for name, data in contents(out).items() if not name.startswith(".")}
    assert whole == {name: shot.expected[name] for name in [*shot.expected][:3]}
    assert len([*out.glob(".frame_0004.png.*.part")]) == 1
    written = {name: (out / name).stat().st_mtime_ns for name in whole}
    done = openjd_run(shot, shot.blender())
    assert done.returncode == 0, done.stdout
    assert contents(out) == shot.expected  # which hold no temporary file
    assert {name: (out / name).stat().st_mtime_ns for name in whole} == written  # not baked again
    for text in ("ok      avatar", "2 of 2 frames are finished", "Chunks run: 3"):
        assert text in done.stdout


def test_a_job_of_another_machine(shot: Shot, tmp_path: Path) -> None:
    """Its paths, those in the .blend too, are mapped by the session's rules."""
    away = shot.folder.with_name("Knoten ß")
    shot.folder.rename(away)
    try:
        rule = {"source_path_format": "POSIX", "source_path": str(shot.folder),
                "destination_path": str(away)}  # fmt: skip
        rules = tmp_path / "rules.json"
        rules.write_text(json.dumps({"version": "pathmapping-1.0", "path_mapping_rules": [rule]}))
        moved = Shot(away, away / "bundle", shot.expected)
        options = ("--path-mapping-rules", f"file://{rules}", "-p", "Frames=5")
        done = openjd_run(moved, moved.blender(), *options)
        assert done.returncode == 0, done.stdout
        path = away / "out" / "frame_0005.png"
        assert path.read_bytes() == shot.expected[path.name]
    finally:
        away.rename(shot.folder)


def test_the_commands_of_flamenco(shot: Shot, tmp_path: Path) -> None:
    script = str(ROOT / "egstalker_blender" / "batch.py")
    settings: dict[str, Any] = {"frames": "1-3", "chunk_size": CHUNK, "engine": "builtin"}
    tasks = compiled(tmp_path, **settings, output=str(tmp_path / "out"), script=script,
                     blendfile=str(shot.blend))["tasks"]  # fmt: skip
    assert [task["name"] for task in tasks] == ["check", "bake-1-2", "bake-3"]
    saved = []
    for task in tasks:
        (command,) = task["commands"]
        line = command_line(command, shot.blender())
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=LIMIT)
        assert done.returncode == 0, done.stdout + done.stderr
        lines = done.stdout.splitlines()
        steps = len([line for line in lines if STEP.match(line)])
        assert steps == (0 if task["name"] == "check" else command["totalStepCount"])
        saved += [Path(match[1]) for line in lines if (match := SAVED.match(line))]
    assert [path.name for path in saved] == [*shot.expected][:3]
    assert all(path.read_bytes() == shot.expected[path.name] for path in saved)


def test_packers_for_farms_find_avatar_and_sound(shot: Shot) -> None:
    command = [tool("bat"), "list", str(shot.blend)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for name in ("head.egs", "Stimme [final].wav"):
        assert name in done.stdout
