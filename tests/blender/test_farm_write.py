"""*Write Farm Job* and --write-farm-job: what the files hold, and the operators."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy
import pytest
from egstalker.egstalker_blender import cli
from egstalker.egstalker_blender.farm.operators import JOB_TYPE, EGSTALKER_OT_write_farm_job
from egstalker.egstalker_blender.farm.write import extension_files

from tests.support.blender import ROOT, voice, write_wav


def documents(folder: Path) -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text()) for path in folder.iterdir()}


def saved(path: Path) -> Path:
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


def options_of(document: Any, step: int = 0) -> list[str]:
    words = document["template"]["steps"][step]["script"]["actions"]["onRun"]["args"]
    return list(words[words.index("--") + 1 :])


def test_the_job_of_a_scene(head: Any, avatar_path: Path, tmp_path: Path) -> None:
    blend, bundle = saved(tmp_path / "shot.blend"), tmp_path / "farm"
    head.egstalker.range_source = "SCENE"
    saved(blend)
    assert bpy.ops.egstalker.write_farm_job(directory=str(bundle), chunk=2) == {"FINISHED"}
    found = documents(bundle)
    values = found["openjd_values"]
    assert values == {
        "BlendFile": str(blend), "Output": str(tmp_path / "frames"), "Extension": str(ROOT),
        "Blender": "blender", "ChunkSize": 2, "Frames": "2-4",
    }  # fmt: skip
    files = found["asset_references"]["assetReferences"]["inputs"]["filenames"]
    own = {str(path) for path in extension_files()}
    assert {str(blend), str(avatar_path), str(tmp_path / "voice.wav")} == set(files) - own
    assert str(ROOT / "egstalker_blender" / "batch.py") in own and len(own) > 200
    assert not [path for path in own if "__pycache__" in path or "/tests/" in path]


def test_heads_of_a_scene_are_steps(head: Any, avatar_path: Path, tmp_path: Path) -> None:
    bpy.ops.egstalker.import_avatar(filepath=str(avatar_path))
    other = bpy.context.object
    other.name = "Zwei {{Param.Output}}"
    bpy.ops.egstalker.link_sound_file(filepath=str(write_wav(tmp_path / "b.wav", voice(0.2))))
    other.egstalker.range_source, other.egstalker.file_format = "SOUND", "exr"
    saved(tmp_path / "shot.blend")
    assert bpy.ops.egstalker.write_farm_job(directory=str(tmp_path / "farm")) == {"FINISHED"}
    found = documents(tmp_path / "farm")
    names = {found["openjd_values"][f"Head{number}"] for number in (1, 2)}
    assert names == {head.name, other.name}
    first = 0 if found["openjd_values"]["Head1"] == head.name else 1
    assert found["openjd_values"][f"Frames{2 - first}"] == "1-5"  # of the sound
    words = options_of(found, 1 - first)
    assert words[words.index("--format") + 1] == "exr"
    words = options_of(found, first)
    assert words[words.index("--format") + 1] == "png"


def test_the_job_of_options_alone(scene: Any, avatar_path: Path, tmp_path: Path) -> None:
    sound = write_wav(tmp_path / "voice.wav", voice(0.2))
    options = ["--avatar", str(avatar_path), "--audio", str(sound), "--size", "8x6",
               "--out", str(tmp_path / "out"), "--write-farm-job", str(tmp_path / "farm"),
               "--motion-blur", "3", "--no-xmp", "--engine", "builtin"]  # fmt: skip
    assert cli.main(options) == 0
    found = documents(tmp_path / "farm")
    assert found["openjd_values"]["Frames"] == "1-5"
    assert found["openjd_values"]["Avatar"] == str(avatar_path)
    words = options_of(found)
    assert words[words.index("--size") + 1] == "8x6" and "--no-xmp" in words
    assert words[words.index("--motion-blur") + 1] == "3" and "--object" not in " ".join(words)
    assert not (tmp_path / "out").exists()
    assert cli.main([*options, "--frames", "9-3"]) == 2
    assert cli.main([*options, "--write-farm-job", str(sound / "x")]) == 1


def test_the_operator_says_why_it_cannot(head: Any, tmp_path: Path) -> None:
    context = bpy.context
    assert "Save the .blend" in EGSTALKER_OT_write_farm_job.reason(context)
    saved(tmp_path / "shot.blend")
    assert EGSTALKER_OT_write_farm_job.reason(context) == ""
    (tmp_path / "file").write_text("")
    with pytest.raises(RuntimeError, match=r"does not exist"):
        bpy.ops.egstalker.write_farm_job(directory=str(tmp_path / "file"))
    head.hide_render = True
    assert "enabled in renders" in EGSTALKER_OT_write_farm_job.reason(context)


def test_the_job_type_of_flamenco(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert bpy.ops.egstalker.write_flamenco_job_type(directory=folder) == {"FINISHED"}
    assert (tmp_path / JOB_TYPE.name).read_bytes() == JOB_TYPE.read_bytes()
    with pytest.raises(RuntimeError, match="does not exist"):
        bpy.ops.egstalker.write_flamenco_job_type(directory=str(tmp_path / "nothing"))
    # What the job type evaluates in the Blender that submits.
    assert Path(bpy.types.EGSTALKER_OT_write_farm_job.BATCH).is_file()
