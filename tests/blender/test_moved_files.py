"""Files of a head after Save As, append, packing and moves; what is missing is named at once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import bpy
import pytest
from egstalker.egstalker_blender import blocks, cli
from egstalker.egstalker_blender.gather import read_settings

from tests.support.blender import job_of, names, voice, write_wav


@pytest.fixture
def folder(tmp_path: Path, avatar_path: Path) -> Path:
    """tmp_path/first with head.egs and voice.wav."""
    folder = tmp_path / "first"
    folder.mkdir()
    shutil.copy(avatar_path, folder / "head.egs")
    write_wav(folder / "voice.wav", voice(1.0))
    return folder


@pytest.fixture
def obj(scene: Any, folder: Path) -> Any:
    """A head that a sound file drives, in a .blend that was never saved."""
    bpy.ops.egstalker.import_avatar(filepath=str(folder / "head.egs"))
    bpy.ops.egstalker.link_sound_file(filepath=str(folder / "voice.wav"), add_strip=False)
    return bpy.context.object


def save(path: Path, **options: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(path), **options)


def the_head() -> Any:
    return next(obj for obj in bpy.data.objects if obj.egstalker.avatar_block)


def files_of(obj: Any) -> list[Path]:
    """Avatar and sound, as a bake reads them."""
    settings = read_settings(bpy.context.scene, obj)
    return [settings.avatar_path.resolve(), settings.voice.resolve()]


def test_paths_follow_the_blend(obj: Any, folder: Path, tmp_path: Path) -> None:
    here = [folder / "head.egs", folder / "voice.wav"]
    props = obj.egstalker
    assert [props.avatar_path, props.sound_file] == [str(path) for path in here]
    save(folder / "shot.blend", relative_remap=True)
    assert [props.avatar_path, props.sound_file] == ["//head.egs", "//voice.wav"]
    save(tmp_path / "second" / "shot.blend", relative_remap=True)
    assert props.avatar_path == "//../first/head.egs" and files_of(obj) == here
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    assert files_of(the_head()) == here
    bpy.ops.file.make_paths_absolute()
    assert the_head().egstalker.avatar_path == str(here[0])
    bpy.ops.file.make_paths_relative()
    assert (
        the_head().egstalker.sound_file == "//../first/voice.wav" and files_of(the_head()) == here
    )


def test_a_folder_that_moves_as_a_whole(obj: Any, folder: Path, tmp_path: Path) -> None:
    save(folder / "shot.blend")
    folder.rename(tmp_path / "moved")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "moved" / "shot.blend"))
    assert files_of(the_head()) == [tmp_path / "moved" / n for n in ("head.egs", "voice.wav")]


def test_a_strip_that_is_added_later_moves_too(obj: Any, folder: Path, tmp_path: Path) -> None:
    save(folder / "shot.blend")
    bpy.ops.egstalker.link_sound_file(filepath=str(folder / "voice.wav"))
    assert bpy.data.sounds[0].filepath == "//voice.wav"
    save(folder / "shot.blend")
    folder.rename(tmp_path / "moved")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "moved" / "shot.blend"))
    assert job_of(the_head()).voice.path == tmp_path / "moved" / "voice.wav"


def test_the_preference_for_absolute_paths(obj: Any, folder: Path) -> None:
    save(folder / "shot.blend")
    paths = bpy.context.preferences.filepaths
    paths.use_relative_paths = False
    try:
        bpy.ops.egstalker.import_avatar(filepath=str(folder / "head.egs"))
    finally:
        paths.use_relative_paths = True
    assert bpy.context.object.egstalker.avatar_path == str(folder / "head.egs")


def test_appended_and_made_local(obj: Any, folder: Path, tmp_path: Path) -> None:
    here, name = [folder / "head.egs", folder / "voice.wav"], obj.name
    save(folder / "shot.blend")
    for number, link in enumerate((False, True)):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        save(tmp_path / f"other {number}" / "film.blend")
        with bpy.data.libraries.load(str(folder / "shot.blend"), link=link) as (_, wanted):
            wanted.objects = [name]
        bpy.context.collection.objects.link(wanted.objects[0])
        assert files_of(wanted.objects[0]) == here
        wanted.objects[0].make_local()
        wanted.objects[0].egstalker.avatar_block.make_local()
        assert files_of(the_head()) == here


def test_programs_that_pack_find_the_files(obj: Any, folder: Path) -> None:
    save(folder / "shot.blend")
    found = {Path(path) for path in bpy.utils.blend_paths(absolute=True)}
    assert {folder / "head.egs", folder / "voice.wav"} <= found


def test_packed_files_are_used_from_the_blend(
    obj: Any, folder: Path, fake: Any, tmp_path: Path
) -> None:
    content = (folder / "head.egs").read_bytes()
    bpy.ops.file.pack_all()
    (tmp_path / "second").mkdir()
    obj.egstalker.output_path = str(tmp_path / "out")
    bpy.context.scene.frame_end = 2
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "second" / "shot.blend"))
    shutil.rmtree(folder)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "second" / "shot.blend"))
    avatar, sound = files_of(the_head())
    assert avatar.read_bytes() == content and avatar.suffix == ".egs" and sound.suffix == ".wav"
    assert names(tmp_path / "second") == ["shot.blend"]
    bpy.context.view_layer.objects.active = the_head()
    assert bpy.ops.egstalker.bake() == {"FINISHED"}
    assert len(names(tmp_path / "out")) == 2
    # A damaged copy is written again, and an old one is not taken for other content.
    avatar.write_bytes(content[:-1] + b"x")
    blocks._forget()
    assert files_of(the_head())[0].read_bytes() == content
    bpy.ops.file.unpack_all(method="WRITE_LOCAL")
    assert files_of(the_head())[0] == tmp_path / "second" / "volumes" / "head.egs"


def test_the_folder_of_packed_files_is_trimmed(obj: Any, tmp_path: Path) -> None:
    """Files of other sessions go with time; the head's own stay, however old they are."""
    obj.egstalker.output_path = str(tmp_path / "out")
    bpy.ops.file.pack_all()
    avatar, sound = files_of(obj)
    old, recent = (avatar.with_name(f"{letter * 64}.egs") for letter in "ab")
    foreign = avatar.with_name("notes.txt")
    for path in (old, recent, foreign):
        path.write_bytes(b"x")
    for path in (old, avatar, sound, foreign):
        os.utime(path, (0, 0))
    blocks._forget()
    assert files_of(obj) == [avatar, sound]
    assert not old.exists() and all(p.is_file() for p in (recent, foreign, avatar, sound))


def test_heads_share_a_file_until_one_gets_another(obj: Any, tmp_path: Path) -> None:
    copy = obj.copy()
    assert copy.egstalker.avatar_block == obj.egstalker.avatar_block
    before = obj.egstalker.avatar_path
    copy.egstalker.avatar_path = "//other.egs"
    assert (obj.egstalker.avatar_path, copy.egstalker.avatar_path) == (before, "//other.egs")
    third = obj.copy()
    third.egstalker.avatar_path = before
    assert third.egstalker.avatar_block == obj.egstalker.avatar_block


def test_an_override_keeps_its_file(obj: Any, folder: Path, tmp_path: Path) -> None:
    name = obj.name
    save(folder / "head.blend")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    save(tmp_path / "second" / "shot.blend")
    with bpy.data.libraries.load(str(folder / "head.blend"), link=True) as (_, wanted):
        wanted.objects = [name]
    bpy.context.collection.objects.link(wanted.objects[0])
    wanted.objects[0].override_create(remap_local_usages=True)
    (mine,) = (o for o in bpy.context.scene.objects if o.override_library)
    assert files_of(mine)[0] == folder / "head.egs"
    mine.egstalker.sound_file = "//mine.wav"
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    (mine,) = (o for o in bpy.context.scene.objects if o.override_library)
    assert files_of(mine) == [folder / "head.egs", tmp_path / "second" / "mine.wav"]


def test_paths_of_early_versions(obj: Any, folder: Path) -> None:
    props = obj.egstalker
    path = props.avatar_path
    props.avatar_path = ""
    values = (
        props.bl_system_properties_get() if hasattr(props, "bl_system_properties_get") else props
    )
    values["avatar_path"] = path
    save(folder / "old.blend")
    bpy.ops.wm.open_mainfile(filepath=str(folder / "old.blend"))
    assert files_of(the_head())[0] == folder / "head.egs"


def test_all_missing_files_are_named_at_once(
    obj: Any, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    obj.name = "Ann"
    bpy.ops.egstalker.import_avatar(filepath=str(folder / "head.egs"))
    bpy.context.object.name = "Ben"
    bpy.ops.egstalker.link_sound_file(filepath=str(write_wav(folder / "ben.wav", voice(0.5))))
    bpy.ops.egstalker.import_avatar(filepath=str(folder / "head.egs"))
    bpy.context.object.name = "Cat"
    bpy.context.object.egstalker.sound_strip = "meow"
    save(folder / "shot.blend")
    for path in folder.glob("*.[ew]*"):
        path.unlink()
    assert cli.main(["--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    for words in ("avatar of 'Ann'", "avatar of 'Ben'", "head.egs", "voice.wav", "ben.wav", "meow"):
        assert words in line
    assert not (tmp_path / "out").exists()
