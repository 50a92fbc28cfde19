"""Avatars that Blender itself renders: the cloud and its modifier through edits and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.avatar.file import load_avatar
from egstalker.core.records.gaussians import activate
from egstalker.egstalker_blender.render import cloud, failure, native
from egstalker.egstalker_blender.render.native_group import companion_of, modifier_of

from tests.support.blender_native import needs_splats, splats_of


def push(message: str) -> None:
    bpy.ops.ed.undo_push(message=message)


def the_head() -> Any:
    return bpy.data.objects["tiny head"]


@pytest.mark.skipif(native.SUPPORTED, reason="this Blender renders splats")
def test_an_older_blender_says_why_and_makes_nothing(head: Any) -> None:
    assert not head.modifiers and len(bpy.data.objects) == 1
    for operator in (bpy.ops.egstalker.make_renderable, bpy.ops.egstalker.remove_renderable):
        with pytest.raises(RuntimeError, match=r"5\.3|does not render"):
            operator()
    assert not head.modifiers and not bpy.data.pointclouds and not bpy.data.node_groups


@needs_splats
def test_import_gives_a_cloud_in_no_collection(head: Any) -> None:
    companion = companion_of(modifier_of(head))
    assert companion.data.type == "GAUSSIAN_SPLAT" and not companion.users_collection
    assert native.is_rendered(head) and native.is_viewed(head)
    assert cloud.is_empty(companion.data)  # until Blender renders
    assert min(head.dimensions) > 0  # the box that is clicked on


@needs_splats
def test_a_cloud_holds_the_splats_in_the_head_frame(avatar_path: Path, scene: Any) -> None:
    splats = activate(load_avatar(avatar_path).gaussians)
    data = cloud.make("one")
    cloud.write(data, splats)
    found = splats_of(data)
    assert np.array_equal(found["position"], splats.means)
    assert np.array_equal(found["scale"], splats.scales)
    assert np.array_equal(found["rotation"], splats.quats)
    assert np.array_equal(found["radiance:base"][:, :3], splats.sh[:, 0])
    assert np.array_equal(found["radiance:base"][:, 3], splats.opacities)
    for k in range(15):
        assert np.array_equal(found[f"radiance:sh_{k}"], splats.sh[:, k + 1])


@needs_splats
def test_removed_and_made_again(head: Any) -> None:
    assert bpy.ops.egstalker.remove_renderable() == {"FINISHED"}
    assert not head.modifiers and not bpy.data.pointclouds and len(bpy.data.objects) == 1
    with pytest.raises(RuntimeError, match="does not render this head"):
        bpy.ops.egstalker.remove_renderable()
    assert bpy.ops.egstalker.make_renderable() == {"FINISHED"}
    assert native.is_rendered(head)
    with pytest.raises(RuntimeError, match="already"):
        bpy.ops.egstalker.make_renderable()


@needs_splats
def test_two_avatars_share_the_group_and_not_the_cloud(head: Any, avatar_path: Path) -> None:
    bpy.ops.egstalker.import_avatar(filepath=str(avatar_path))
    other = bpy.context.object
    assert modifier_of(head).node_group == modifier_of(other).node_group
    assert native.cloud_of(head) != native.cloud_of(other)


@needs_splats
def test_undo_and_redo(scene: Any, avatar_path: Path) -> None:
    push("start")
    bpy.ops.egstalker.import_avatar(filepath=str(avatar_path))
    push("import")
    bpy.ops.ed.undo()
    assert not bpy.data.objects and not bpy.data.pointclouds
    bpy.ops.ed.redo()
    assert native.is_rendered(the_head())
    bpy.ops.egstalker.remove_renderable()
    push("remove")
    bpy.ops.ed.undo()
    assert native.is_rendered(the_head())


@needs_splats
def test_a_copy_gets_a_cloud_of_its_own(head: Any) -> None:
    material = bpy.data.materials.new("skin")
    native.cloud_of(head).materials.append(material)
    copy = head.copy()
    bpy.context.scene.collection.objects.link(copy)
    bpy.context.view_layer.update()
    assert native.cloud_of(copy) != native.cloud_of(head)
    assert native.cloud_of(copy).materials[0] == material
    assert modifier_of(copy).node_group == modifier_of(head).node_group


@needs_splats
def test_a_saved_file_holds_no_face(head: Any, tmp_path: Path) -> None:
    cloud.write(native.cloud_of(head), activate(load_avatar(avatar_of(head)).gaussians))
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert native.is_rendered(the_head()) and cloud.is_empty(native.cloud_of(the_head()))


@needs_splats
def test_append_link_and_override(head: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    for linked in (False, True):
        with bpy.data.libraries.load(path, link=linked) as (_, here):
            here.objects = ["tiny head"]
        scene.collection.objects.link(here.objects[0])
        assert native.is_rendered(here.objects[0])
    linked = here.objects[0]
    overrides = []
    for _ in range(2):
        linked.override_create(remap_local_usages=False)
        overrides = [obj for obj in bpy.data.objects if obj.override_library]
        for obj in overrides:
            if obj.name not in scene.collection.objects:
                scene.collection.objects.link(obj)
    bpy.context.view_layer.update()
    clouds = [native.cloud_of(obj) for obj in overrides]
    assert len(clouds) == 2 and len({data.session_uid for data in clouds}) == 2


@needs_splats
def test_nothing_is_computed_outside_a_render(head: Any, fake: Any) -> None:
    for frame in (3, 4, 5):
        bpy.context.scene.frame_set(frame)
    assert fake.moments == [] and cloud.is_empty(native.cloud_of(head))
    assert failure.failure() == ""


def avatar_of(obj: Any) -> Path:
    return Path(bpy.path.abspath(obj.egstalker.avatar_path))
