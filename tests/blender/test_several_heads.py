"""Scenes with several heads: whose frames go where, all of them in one bake, some by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import pytest
from egstalker.core.errors import ArgumentError
from egstalker.egstalker_blender import bake, cli, placed
from egstalker.egstalker_blender.output import output_of
from egstalker.egstalker_blender.placed import Placed

from tests.support.blender import names, voice, write_wav

FRAMES = ["0002.png", "0003.png", "0004.png"]


@pytest.fixture
def heads(scene: Any, avatar_path: Path, tmp_path: Path) -> list[Any]:
    """Ann and Ben, each with a strip of its own and default names below tmp_path/out."""
    scene.frame_start, scene.frame_end = 2, 4
    made = []
    for number, name in enumerate(("Ann", "Ben")):
        sound = write_wav(tmp_path / f"{name}.wav", voice(1.0 + number))
        bpy.ops.egstalker.import_avatar(filepath=str(avatar_path))
        made.append(bpy.context.object)
        bpy.ops.egstalker.link_sound_file(filepath=str(sound))
        made[-1].name = name
        made[-1].egstalker.output_path = str(tmp_path / "out" / "{object}")
    return made


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*"))


def test_defaults_keep_heads_apart(heads: list[Any], scene: Any, tmp_path: Path) -> None:
    for obj in heads:
        obj.egstalker.property_unset("output_path")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    assert [output_of(scene, obj) for obj in heads] == [
        (tmp_path / "egstalker" / "Ann", "Ann_"),
        (tmp_path / "egstalker" / "Ben", "Ben_"),
    ]
    heads[0].name, heads[1].name = "a/b", "a:b"
    assert [output_of(scene, obj)[1] for obj in heads] == ["a_b_", "a_b-2_"]


def test_files_of_another_head_are_not_overwritten(
    heads: list[Any], scene: Any, tmp_path: Path
) -> None:
    for obj in heads:
        obj.egstalker.output_path, obj.egstalker.file_stem = f"{tmp_path}/out", "frame_"
    with pytest.raises(ArgumentError, match="'Ann' and 'Ben' write the same files"):
        output_of(scene, heads[0])
    assert "the same files" in bake.blocker_of(scene, Placed(heads[1]))
    with pytest.raises(RuntimeError, match="Ann: 'Ann' and 'Ben' write the same files"):
        bpy.ops.egstalker.bake_all()
    heads[1].egstalker.output_path = f"{tmp_path}/OUT/"  # one folder on some systems
    assert "the same files" in bake.blocker_of(scene, Placed(heads[1]))
    heads[1].egstalker.file_format = "exr"
    assert (
        bake.blocker_of(scene, Placed(heads[0])) == bake.blocker_of(scene, Placed(heads[1])) == ""
    )


def test_a_redraw_goes_through_the_scene_once_however_many_heads_there_are(
    heads: list[Any], scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[Any] = []
    search = placed._by_avatar

    def counted(where: Any) -> Any:
        passes.append(where)
        return search(where)

    monkeypatch.setattr(placed, "_by_avatar", counted)
    assert bake.blocker_of_all(scene) == "" and len(passes) == 1
    assert bake.blocker(bpy.context) == "" and len(passes) == 2


def test_scenes_of_one_head_are_kept_apart(heads: list[Any], scene: Any, tmp_path: Path) -> None:
    other = bpy.data.scenes.new("Other")
    other.collection.objects.link(heads[0])
    with pytest.raises(ArgumentError, match=r"put \{scene\} into Output"):
        output_of(scene, heads[0])
    heads[0].egstalker.file_stem = "{scene}_{object}_"
    assert output_of(scene, heads[0])[1] == "Scene_Ann_"
    assert output_of(other, heads[0])[1] == "Other_Ann_"


def test_bake_all(heads: list[Any], fake: Any, tmp_path: Path) -> None:
    bpy.ops.egstalker.bake_all()
    made = files(tmp_path / "out")
    assert made == [f"{name}/{name}_{end}" for name in ("Ann", "Ben") for end in FRAMES]
    heads[0].hide_render = True
    heads[1].egstalker.output_path = str(tmp_path / "second")
    bpy.ops.egstalker.bake_all()
    assert files(tmp_path / "out") == made
    assert names(tmp_path / "second") == [f"Ben_{end}" for end in FRAMES]
    heads[1].hide_render = True
    with pytest.raises(RuntimeError, match="no avatar that is enabled"):
        bpy.ops.egstalker.bake_all()


def test_bad_input_of_one_head_stops_all_before_the_first_frame(
    heads: list[Any], fake: Any, tmp_path: Path
) -> None:
    heads[1].egstalker.sound_strip = "nothing"
    with pytest.raises(RuntimeError, match="Ben: "):
        bpy.ops.egstalker.bake_all()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ([], ["Ann/Ann_", "Ben/Ben_"]),
        (["--object", "Ben"], ["Ben/Ben_"]),
        (["--object", "Ben", "--object", "Ann"], ["Ann/Ann_", "Ben/Ben_"]),
    ],
)
def test_batch(
    heads: list[Any], fake: Any, tmp_path: Path, options: list[str], wanted: list[str]
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.context.view_layer.objects.active = None
    out = tmp_path / "farm"
    assert cli.main(["--out", str(out), "--frames", "2-4", *options]) == 0
    assert files(out) == [name + end for name in wanted for end in FRAMES]


def test_batch_with_one_head_needs_no_folder(heads: list[Any], fake: Any, tmp_path: Path) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    heads[0].hide_render = True
    assert cli.main(["--out", str(tmp_path / "farm"), "--frames", "2"]) == 0
    assert names(tmp_path / "farm") == ["frame_0002.png"]
    heads[1].egstalker.file_stem = "shot 1 {object} "
    assert cli.main(["--out", str(tmp_path / "own"), "--frames", "2"]) == 0
    assert names(tmp_path / "own") == ["shot 1 Ben 0002.png"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--object", "Cat"], "no head 'Cat'; it has: 'Ann', 'Ben'"),
        (["--object", "Ann", "--avatar", "x.egs"], "only one of them"),
        (["--audio", "voice.wav"], "choose one with --object: 'Ann', 'Ben'"),
    ],
)
def test_batch_names_the_heads(
    heads: list[Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    words: str,
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    assert cli.main(["--out", str(tmp_path / "farm"), *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert not (tmp_path / "farm").exists()
