"""Bakes that go on: the panel's Resume and --skip-existing, over every kind of bake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import pytest
from egstalker.core.audio.digest import voice_digest
from egstalker.core.avatar.file import load_avatar
from egstalker.egstalker_blender import cli
from egstalker.egstalker_blender.gather import Loaded, bake_job, gather, job_steps, read_settings
from egstalker.egstalker_blender.sound.voice import voice_from
from egstalker.egstalker_blender.timeline.sources import _sound

from tests.support.blender import names, voice, write_wav


def times(folder: Path) -> dict[str, int]:
    """When each file below the folder was written."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in found}


def written(before: dict[str, int], after: dict[str, int]) -> list[str]:
    return [name for name in after if after[name] != before.get(name)]


@pytest.mark.parametrize("file_format", ["png", "exr", "exr-multilayer"])
def test_the_panel_resumes_with_scene_camera_and_motion_blur(
    scene: Any, head: Any, tmp_path: Path, file_format: str
) -> None:
    bpy.ops.egstalker.add_training_camera()
    bpy.context.view_layer.objects.active = head
    props = head.egstalker
    props.camera_source, props.file_format, props.use_motion_blur = "scene", file_format, True
    props.motion_blur_samples = 2
    bpy.ops.egstalker.bake(engine="builtin")
    before, out = times(tmp_path / "out"), tmp_path / "out"
    kind = file_format.partition("-")[0]
    assert len(before) == 3
    props.use_resume = True
    assert bpy.ops.egstalker.bake(engine="builtin") == {"FINISHED"}
    assert times(out) == before
    (out / f"frame_0003.{kind}").unlink()
    bpy.ops.egstalker.bake(engine="builtin")
    assert written(before, times(out)) == [f"frame_0003.{kind}"]
    before = times(out)
    scene.camera.location.x += 0.001
    scene.camera.keyframe_insert("location", frame=2)
    scene.camera.location.x += 0.001
    scene.camera.keyframe_insert("location", frame=3)
    bpy.ops.egstalker.bake(engine="builtin")
    assert written(before, times(out)) == list(before)


def test_controls_and_sound_make_frames_stale(scene: Any, head: Any, tmp_path: Path) -> None:
    props, out = head.egstalker, tmp_path / "out"
    bpy.ops.egstalker.bake(engine="builtin")
    props.use_resume = True
    before = times(out)
    for frame, gain in ((3, 1.0), (4, 0.5)):
        props.mouth_gain = gain
        props.keyframe_insert("mouth_gain", frame=frame)
    bpy.ops.egstalker.bake(engine="builtin")
    assert written(before, times(out)) == ["frame_0004.png"]
    before = times(out)
    write_wav(tmp_path / "voice.wav", 0.5 * voice(1.0))
    bpy.ops.egstalker.bake(engine="builtin")
    assert written(before, times(out)) == list(before)
    (out / "frame_0003.png").write_bytes(b"painted over")
    with pytest.raises(RuntimeError, match=r"1 of 3 files .*frame_0003\.png, which holds no key"):
        bpy.ops.egstalker.bake(engine="builtin")
    assert (out / "frame_0003.png").read_bytes() == b"painted over"
    props.use_overwrite = True
    assert bpy.ops.egstalker.bake(engine="builtin") == {"FINISHED"}


def test_a_loaded_track_gives_the_same_keys(scene: Any, head: Any, avatar_path: Path) -> None:
    settings, avatar = read_settings(scene, head), load_avatar(avatar_path)
    sound = _sound(avatar, voice_from(settings.voice))
    assert sound.voice_digest == voice_digest(
        bake_job(bpy.context, head, settings).voice, avatar.features
    )
    loaded = Loaded(avatar, sound.track, sound.voice_digest)
    steps = job_steps(gather(bpy.context, head, settings, loaded))
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value.voice is sound.track
    assert end.value.value.voice_digest == sound.voice_digest


def test_the_command_line_resumes_each_head_and_a_chunk_of_it(
    scene: Any, avatar_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    for name, loudness in (("Ann", 1.0), ("Ben", 0.4)):
        bpy.ops.egstalker.import_avatar(filepath=str(avatar_path))
        bpy.ops.egstalker.link_sound_file(
            filepath=str(write_wav(tmp_path / f"{name}.wav", loudness * voice(1.0)))
        )
        bpy.context.object.name = name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    fixed = ["--out", str(out), "--engine", "builtin", "--skip-existing"]
    assert cli.main([*fixed, "--frames", "3-4"]) == 0
    before = times(out)
    assert len(before) == 4
    capsys.readouterr()
    assert cli.main([*fixed, "--frames", "2-5", "--object", "Ben"]) == 0
    assert "2 of 4 frames are finished and stay" in capsys.readouterr().err
    assert written(before, times(out)) == ["Ben/Ben_0002.png", "Ben/Ben_0005.png"]
    (out / "Ann" / "Ann_0003.png").write_bytes((out / "Ben" / "Ben_0003.png").read_bytes())
    before = times(out)
    assert cli.main([*fixed, "--frames", "2-5"]) == 0
    assert written(before, times(out)) == [f"Ann/Ann_000{k}.png" for k in (2, 3, 5)]


def test_a_film_goes_on_from_its_frames(
    scene: Any, head: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    props, out = head.egstalker, tmp_path / "out"
    bpy.ops.egstalker.bake(engine="builtin")
    before = times(out)
    props.use_resume = True
    assert bpy.ops.egstalker.bake_video(engine="builtin") == {"FINISHED"}
    assert [name.rpartition(".")[2] for name in written(before, times(out))] == ["mp4"]
    film = ["--video", str(tmp_path / "a.mp4"), "--engine", "builtin", "--skip-existing"]
    assert cli.main(film) == 2
    assert "--skip-existing needs --out" in capsys.readouterr().err
    assert names(tmp_path / "out") == list(times(out))
