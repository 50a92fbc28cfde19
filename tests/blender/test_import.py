"""Importing an .egs file as one object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from core.avatar.file import load_avatar


def everything() -> dict[str, int]:
    """Without the clouds of splats, which are in no scene."""
    found = {name: len(getattr(bpy.data, name)) for name in ("meshes", "cameras")}
    return {"objects": len(bpy.context.scene.objects), **found}


def import_it(path: Path) -> Any:
    assert bpy.ops.egstalker.import_avatar(filepath=str(path)) == {"FINISHED"}
    return bpy.context.object


def test_one_object_that_knows_its_file(scene: Any, avatar_path: Path) -> None:
    obj = import_it(avatar_path)
    avatar = load_avatar(avatar_path)
    assert everything() == {"objects": 1, "meshes": 1, "cameras": 0}
    assert obj.name == avatar.name == "tiny head"
    assert obj.select_get() and obj.name in scene.objects
    assert obj.egstalker.avatar_path == str(avatar_path)
    assert obj.egstalker.content_hash == obj.data["egstalker_hash"] == avatar.content_hash


def test_faces_minus_y_in_metres(scene: Any, avatar_path: Path) -> None:
    obj = import_it(avatar_path)
    means = load_avatar(avatar_path).gaussians.means
    points = np.empty(len(obj.data.vertices) * 3, np.float32)
    obj.data.vertices.foreach_get("co", points)
    right, up, to_viewer = means.T
    expected = np.stack([right, -to_viewer, up], axis=1) / 10
    assert np.abs(points.reshape(-1, 3) - expected).max() < 1e-6


def test_copies_share_their_mesh(scene: Any, avatar_path: Path) -> None:
    first, second = import_it(avatar_path), import_it(avatar_path)
    assert first != second
    assert first.data == second.data
    assert bpy.context.object == second and not first.select_get()


def test_beside_the_blend_the_path_is_relative(
    scene: Any, avatar_path: Path, tmp_path: Path
) -> None:
    beside = tmp_path / "tiny.egs"
    beside.write_bytes(avatar_path.read_bytes())
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert import_it(beside).egstalker.avatar_path == "//tiny.egs"


def test_properties_survive_the_blend(scene: Any, avatar_path: Path, tmp_path: Path) -> None:
    obj = import_it(avatar_path)
    obj.egstalker.strength = 0.5
    obj.egstalker.pose_source = "still"
    obj.egstalker.keyframe_insert("audio_offset", frame=1)
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    again = bpy.data.objects["tiny head"]
    assert again.egstalker.strength == 0.5
    assert again.egstalker.pose_source == "still"
    assert again.animation_data.action is not None
    properties = again.egstalker.bl_rna.properties
    own = [p for p in properties if p.identifier not in ("rna_type", "name")]
    shown = {"avatar_path", "sound_file"}  # of the data-blocks, which can be overridden
    assert own and all(p.description for p in own)
    assert all(p.is_overridable for p in own if p.identifier not in shown)


@pytest.mark.parametrize("content", [None, b"", b"not an avatar", b"\x10" + b"\0" * 7 + b"{" * 16])
def test_a_bad_file_leaves_nothing_behind(
    scene: Any, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "bad.egs"
    if content is not None:
        path.write_bytes(content)
    before = everything()
    with pytest.raises(RuntimeError, match=r"bad\.egs") as caught:
        bpy.ops.egstalker.import_avatar(filepath=str(path))
    assert len(str(caught.value).strip().splitlines()) == 1
    assert everything() == before


def test_a_cut_file_is_refused(scene: Any, avatar_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.egs"
    path.write_bytes(avatar_path.read_bytes()[:-100])
    with pytest.raises(RuntimeError, match=r"cut\.egs"):
        bpy.ops.egstalker.import_avatar(filepath=str(path))
    assert not bpy.data.objects
