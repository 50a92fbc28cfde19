"""Blend files: save, open, revert, append, link, override; avatar files that moved."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import bpy
import pytest
from egstalker.egstalker_blender import bake, engines
from egstalker.egstalker_blender.gather import read_settings
from egstalker.egstalker_blender.properties import active_avatar
from egstalker.egstalker_blender.sound import strips, windows

from tests.support.blender import job_of, names, voice, write_wav


def the_head() -> Any:
    return bpy.data.objects["tiny head"]


@pytest.fixture
def blend(head: Any, tmp_path: Path) -> Path:
    """A saved scene with a head and its sound."""
    path = tmp_path / "scene.blend"
    head.egstalker.strength = 0.75
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


def test_saved_and_opened(blend: Path) -> None:
    before = strips.fingerprint(bpy.context.scene, the_head())
    key = the_head().egstalker.sound_strip_id
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert active_avatar(bpy.context) is None
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    obj = active_avatar(bpy.context)
    assert obj.egstalker.strength == 0.75 and obj.egstalker.sound_strip_id == key
    assert strips.fingerprint(bpy.context.scene, obj) == before
    windows.sound_strips(bpy.context.scene)[0].name = "later"
    assert strips.linked_window(bpy.context.scene, obj).name == "later"
    assert len(job_of(obj).frames) == 3


def test_reverted(blend: Path) -> None:
    the_head().egstalker.strength = 0.1
    windows.sound_strips(bpy.context.scene)[0].mute = True
    bpy.ops.wm.revert_mainfile()
    assert the_head().egstalker.strength == 0.75
    assert not strips.linked_window(bpy.context.scene, the_head()).muted


def test_handlers_survive_files_and_are_there_once(blend: Path) -> None:
    lists = {n: getattr(bpy.app.handlers, n) for n in dir(bpy.app.handlers)}
    lists = {n: v for n, v in lists.items() if isinstance(v, list)}

    def count() -> dict[str, list[str]]:
        return {
            name: sorted(f"{f.__module__}.{f.__name__}" for f in functions
                         if getattr(f, "__module__", "").startswith("egstalker"))
            for name, functions in lists.items()
        }  # fmt: skip

    before = count()
    assert any(before.values())
    for _ in range(3):
        bpy.ops.wm.open_mainfile(filepath=str(blend))
        bpy.ops.wm.read_factory_settings(use_empty=True)
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert count() == before
    assert all(len(set(found)) == len(found) for found in before.values())


def test_a_renamed_strip_is_settled_after_a_load(blend: Path) -> None:
    """The handler that follows names of strips still works in the next file."""
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    strip = windows.sound_strips(bpy.context.scene)[0]
    strip.name = "after load"
    strip.mute = True
    bpy.context.view_layer.update()
    assert the_head().egstalker.sound_strip == "after load"


def test_files_are_opened_while_an_engine_lives(blend: Path, fake: Any) -> None:
    assert bpy.ops.egstalker.bake() == {"FINISHED"}
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    assert engines.status_line().startswith("fake")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    shutil.rmtree(blend.parent / "out")
    assert bpy.ops.egstalker.bake() == {"FINISHED"}
    assert len(names(blend.parent / "out")) == 3


def bring(blend: Path, link: bool) -> Any:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(blend), link=link) as (there, here):
        here.objects = [name for name in there.objects if name == "tiny head"]
    obj = here.objects[0]
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.view_layer.objects.active = obj
    return obj


def give_voice(folder: Path) -> Any:
    return windows.add_strip(bpy.context.scene, write_wav(folder / "here.wav", voice(0.8)), 1)


@pytest.mark.parametrize("link", [False, True])
def test_appended_and_linked(blend: Path, tmp_path: Path, link: bool) -> None:
    """The strip is not part of the object, so the head needs one of this scene and reports it."""
    obj = bring(blend, link)
    assert active_avatar(bpy.context) == obj and (obj.library is not None) == link
    assert obj.egstalker.strength == 0.75
    assert obj.egstalker.sound_strip in bake.blocker(bpy.context)
    strip = give_voice(tmp_path)
    strip.name = obj.egstalker.sound_strip
    bpy.context.view_layer.update()
    assert bake.blocker(bpy.context) == ""
    bpy.context.scene.frame_end = 3
    assert len(job_of(obj).frames) == 3


def test_a_relative_path_belongs_to_the_library(
    head: Any, avatar_path: Path, tmp_path: Path
) -> None:
    """For a linked head, // is the folder of its library file."""
    there = tmp_path / "there"
    there.mkdir()
    shutil.copy(avatar_path, there / "head.egs")
    bpy.ops.wm.save_as_mainfile(filepath=str(there / "library.blend"))
    head.egstalker.avatar_path = "//head.egs"
    bpy.ops.wm.save_mainfile()
    obj = bring(there / "library.blend", link=True)
    give_voice(tmp_path).name = obj.egstalker.sound_strip
    assert read_settings(bpy.context.scene, obj).avatar_path == there / "head.egs"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "here.blend"))
    assert read_settings(bpy.context.scene, obj).avatar_path == there / "head.egs"


def test_library_override(blend: Path, tmp_path: Path) -> None:
    """A library override can use a strip of this scene, also after the file is opened again."""
    linked = bring(blend, link=True)
    obj = linked.override_create(remap_local_usages=True)
    bpy.context.view_layer.objects.active = obj
    obj.egstalker.sound_strip = give_voice(tmp_path).name
    obj.egstalker.strength = 0.5
    path = tmp_path / "shot.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.open_mainfile(filepath=str(path))
    obj = active_avatar(bpy.context)
    assert obj.override_library is not None
    assert (obj.egstalker.strength, obj.egstalker.sound_strip) == (0.5, "here")
    windows.sound_strips(bpy.context.scene)[0].name = "renamed"
    assert strips.linked_window(bpy.context.scene, obj).name == "renamed"
    bpy.context.scene.frame_end = 3
    assert {task.moment.strength for task in job_of(obj).frames} == {0.5}


def test_an_avatar_file_that_moved(head: Any, avatar_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "head.egs"
    shutil.copy(avatar_path, path)
    head.egstalker.avatar_path = str(path)
    assert bake.blocker(bpy.context) == ""
    (tmp_path / "elsewhere").mkdir()
    path.rename(tmp_path / "elsewhere" / "renamed.egs")
    assert str(path) in bake.blocker(bpy.context)
    assert not bpy.ops.egstalker.bake.poll()
