"""Avatar files that were moved, renamed or changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bpy
import pytest
from egstalker.egstalker_blender.avatars import demo, relink

from core.avatar.search import find_avatar
from tests.support.blender import make_avatar


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "first").mkdir()
    return make_avatar(tmp_path / "first" / "head.egs")


@pytest.fixture
def obj(scene: Any, path: Path) -> Any:
    bpy.ops.egstalker.import_avatar(filepath=str(path))
    return bpy.context.object


def test_where_a_file_is_and_what_it_holds(obj: Any, path: Path) -> None:
    assert relink.state_of(obj) == "ok"
    content = path.read_bytes()
    path.write_bytes(content[:-4] + b"abcd")
    assert relink.state_of(obj) == "changed"
    path.write_bytes(content)
    os.utime(path, ns=(0, 0))
    assert relink.state_of(obj) == "ok"
    path.unlink()
    assert relink.state_of(obj) == "missing"


def test_a_moved_and_renamed_file_is_found(obj: Any, path: Path, tmp_path: Path) -> None:
    copy = obj.copy()
    bpy.context.collection.objects.link(copy)
    deep = tmp_path / "second" / "a" / "b"
    deep.mkdir(parents=True)
    make_avatar(tmp_path / "second" / "head.egs", n=150)  # the name, not the content
    path.rename(deep / "other name.EGS")
    assert bpy.ops.egstalker.find_avatar(directory=str(tmp_path)) == {"FINISHED"}
    for each in (obj, copy):
        assert Path(each.egstalker.avatar_path) == deep / "other name.EGS"
        assert relink.state_of(each) == "ok"


def test_beside_the_blend_the_new_path_is_relative(obj: Any, path: Path, tmp_path: Path) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    (tmp_path / "avatars").mkdir()
    path.rename(tmp_path / "avatars" / "head.egs")
    bpy.ops.egstalker.find_avatar(directory=str(tmp_path))
    assert bpy.context.object.egstalker.avatar_path == "//avatars/head.egs"


def test_what_cannot_be_found_says_how_much_was_read(obj: Any, path: Path, tmp_path: Path) -> None:
    path.unlink()
    make_avatar(tmp_path / "other.egs", n=150)
    before = obj.egstalker.avatar_path
    with pytest.raises(RuntimeError, match=r"1 \.egs files were read"):
        bpy.ops.egstalker.find_avatar(directory=str(tmp_path))
    with pytest.raises(RuntimeError, match="does not exist"):
        bpy.ops.egstalker.find_avatar(directory=str(tmp_path / "nowhere"))
    assert obj.egstalker.avatar_path == before


def test_the_demo_is_found_where_it_is_installed_now(scene: Any, tmp_path: Path) -> None:
    bpy.ops.egstalker.add_talking_head(with_speech=False)
    obj = bpy.context.object
    obj.egstalker.avatar_path = str(tmp_path / "on another machine.egs")
    assert bpy.ops.egstalker.find_avatar(directory=str(tmp_path)) == {"FINISHED"}
    assert Path(obj.egstalker.avatar_path) == demo.AVATAR


def test_the_search_is_bounded(path: Path, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.egs").write_bytes(b"no avatar")
    assert find_avatar(tmp_path, "none") == find_avatar(tmp_path, "none", max_entries=100)
    assert find_avatar(tmp_path, "none").files == 4
    few = find_avatar(tmp_path, "none", max_files=2)
    assert (few.found, few.files, few.complete) == (None, 2, False)
    assert not find_avatar(tmp_path, "none", max_entries=2).complete
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert find_avatar(tmp_path, "none").complete


def test_a_changed_file_is_accepted(obj: Any, path: Path) -> None:
    with pytest.raises(RuntimeError, match="has not changed since it was imported"):
        bpy.ops.egstalker.accept_avatar()
    before = obj.data
    make_avatar(path, n=150)
    assert bpy.ops.egstalker.accept_avatar() == {"FINISHED"}
    assert relink.state_of(obj) == "ok"
    assert obj.data != before and len(obj.data.vertices) == 150


def test_a_damaged_file_is_not_accepted(obj: Any, path: Path) -> None:
    path.write_bytes(b"damaged")
    digest = obj.egstalker.content_hash
    with pytest.raises(RuntimeError, match=r"head\.egs"):
        bpy.ops.egstalker.accept_avatar()
    assert obj.egstalker.content_hash == digest


def test_an_old_file_is_read_once(obj: Any, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    relink.state_of(obj)
    monkeypatch.setattr(relink, "hash_of", lambda path: pytest.fail("read again"))
    assert relink.state_of(obj) == "ok"
