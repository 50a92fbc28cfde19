"""The render layer through a session: undo, copied scenes, view layers, append, link, shadows."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.egstalker_blender.render import layer_group, layer_tree, native, shadow

from tests.support.blender_compositor import compositor
from tests.support.blender_native import add_plane, over_black, prepare, rendered


def step(message: str) -> None:
    bpy.ops.ed.undo_push(message=message)


@pytest.fixture
def shot(head: Any, scene: Any, tmp_path: Path) -> Any:
    """Without a render layer, in Workbench, which is quick."""
    bpy.ops.egstalker.add_training_camera()
    prepare(scene, samples=1)
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.frame_set(3)
    if native.SUPPORTED:
        bpy.ops.egstalker.remove_renderable()
    head.egstalker.sound_source = "FILE"  # which any scene hears
    head.egstalker.sound_file = str(tmp_path / "voice.wav")
    return head


def add_layer() -> None:
    assert bpy.ops.egstalker.add_render_layer() == {"FINISHED"}


def alpha(picture: Any) -> float:
    return float(picture[..., 3].mean())


def test_undo_and_redo(shot: Any, scene: Any, tmp_path: Path) -> None:
    step("before")
    add_layer()
    step("added")
    wanted = rendered(scene, tmp_path / "wanted.png")
    assert alpha(wanted) > 0.1
    bpy.ops.ed.undo()
    scene = bpy.context.scene
    assert layer_tree.node_of(scene) is None and not scene.view_layers[0].use_pass_z
    assert not list(shadow.of_scene(scene))
    bpy.ops.ed.redo()
    scene = bpy.context.scene
    assert np.array_equal(rendered(scene, tmp_path / "redone.png"), wanted)
    assert bpy.ops.egstalker.remove_render_layer() == {"FINISHED"}
    step("removed")
    assert not bpy.data.images.get(layer_group.COLOUR)
    bpy.ops.ed.undo()
    scene = bpy.context.scene
    assert np.array_equal(rendered(scene, tmp_path / "undone.png"), wanted)


@pytest.mark.parametrize("kind", ["LINK_COPY", "FULL_COPY"])
def test_a_copied_scene_renders_and_loses_its_own_layer(
    shot: Any, scene: Any, tmp_path: Path, kind: str
) -> None:
    add_layer()
    bpy.ops.scene.new(type=kind)
    copy = next(each for each in bpy.data.scenes if each != scene)
    assert layer_tree.is_on(copy)
    for name, each in (("first", scene), ("copy", copy)):
        each.frame_set(3)
        plane = add_plane(each, -0.5)  # before the right half of this scene's picture
        half = each.render.resolution_x // 2
        picture = rendered(each, tmp_path / f"{name}.png")
        plane.hide_render = True
        free = rendered(each, tmp_path / f"{name} free.png")
        assert np.array_equal(picture[:, : half - 4], free[:, : half - 4])
        assert alpha(free[:, half:]) > 0.1
        assert np.abs(picture - free)[:, half + 4 :].max() > 0.3
    for each in (copy, scene):
        with bpy.context.temp_override(scene=each, view_layer=each.view_layers[0]):
            assert bpy.ops.egstalker.remove_render_layer() == {"FINISHED"}
        assert layer_tree.node_of(each) is None
        assert layer_tree.is_on(scene) == (each != scene)
    assert not bpy.data.images.get(layer_group.COLOUR)


def test_two_scenes_share_the_images(shot: Any, scene: Any, tmp_path: Path) -> None:
    add_layer()
    first = rendered(scene, tmp_path / "first.png")
    other = bpy.data.scenes.new("other")
    other.collection.objects.link(shot)
    other.camera = scene.camera
    other.render.resolution_x, other.render.resolution_y = 40, 30
    other.render.engine = scene.render.engine
    other.render.film_transparent = True
    other.view_settings.view_transform = "Standard"
    other.frame_set(3)
    with bpy.context.temp_override(scene=other, view_layer=other.view_layers[0]):
        add_layer()
    assert layer_tree.group_of(other) == layer_tree.group_of(scene)
    assert rendered(other, tmp_path / "other.png").shape == (30, 40, 4)
    assert rendered(scene, tmp_path / "again.png").shape == first.shape
    with bpy.context.temp_override(scene=other, view_layer=other.view_layers[0]):
        assert bpy.ops.egstalker.remove_render_layer() == {"FINISHED"}
    assert alpha(rendered(scene, tmp_path / "last.png")) > 0.1
    assert alpha(rendered(other, tmp_path / "off.png")) == 0


def collection_in(scene: Any, name: str, obj: Any) -> Any:
    made = bpy.data.collections.new(name)
    scene.collection.children.link(made)
    for old in list(obj.users_collection):
        old.objects.unlink(obj)
    made.objects.link(obj)
    return made


@pytest.mark.parametrize("own_nodes", [False, True])
def test_meshes_of_the_layers_that_the_picture_shows_hide_the_head(
    shot: Any, scene: Any, tmp_path: Path, own_nodes: bool
) -> None:
    """Without nodes of the user it is the first view layer."""
    second = scene.view_layers.new("second")
    collection_in(scene, "plane", add_plane(scene, -0.5))
    scene.view_layers[0].layer_collection.children["plane"].exclude = True
    if own_nodes:
        tree, output = compositor(scene)
        nodes = [tree.nodes.new("CompositorNodeRLayers") for _ in range(2)]
        over = tree.nodes.new("CompositorNodeAlphaOver")
        for node, layer in zip(nodes, scene.view_layers, strict=True):
            node.scene, node.layer = scene, layer.name
        pictures = [socket for socket in over.inputs if socket.type == "RGBA"]
        for node, socket in zip(nodes, pictures, strict=True):
            tree.links.new(node.outputs["Image"], socket)
        tree.links.new(over.outputs[0], output.inputs[0])
    before = rendered(scene, tmp_path / "before.png")
    add_layer()
    assert second.use_pass_z == own_nodes
    both = rendered(scene, tmp_path / "both.png")
    half = scene.render.resolution_x // 2
    assert alpha(both[:, : half - 4]) > 0.1
    if own_nodes:
        assert before[:, half + 4 :, 3].min() > 0.98
        assert np.abs(both - before)[:, half + 4 :].max() < 0.01
    else:
        assert before.max() == 0 and alpha(both[:, half + 4 :]) > 0.1


def test_a_head_of_the_second_view_layer_is_shown_once(
    shot: Any, scene: Any, tmp_path: Path
) -> None:
    add_layer()
    alone = rendered(scene, tmp_path / "alone.png")
    scene.view_layers.new("second")
    assert np.array_equal(rendered(scene, tmp_path / "two.png"), alone)
    collection_in(scene, "head", shot)
    scene.view_layers[0].layer_collection.children["head"].exclude = True
    assert np.array_equal(rendered(scene, tmp_path / "second.png"), alone)


def test_an_appended_scene_renders_beside_one_with_a_layer(
    shot: Any, scene: Any, tmp_path: Path
) -> None:
    add_layer()
    wanted, blend = rendered(scene, tmp_path / "wanted.png"), str(tmp_path / "library.blend")
    name = scene.name
    bpy.ops.wm.save_as_mainfile(filepath=blend, copy=True)
    with bpy.data.libraries.load(blend, link=False) as (_, here):
        here.scenes = [name]
    appended = here.scenes[0]
    assert appended != scene and layer_tree.is_on(appended)
    assert layer_tree.group_of(appended) != layer_tree.group_of(scene)
    appended.frame_set(3)
    for number, each in enumerate((appended, scene)):
        assert np.array_equal(rendered(each, tmp_path / f"{number}.png"), wanted)
    with bpy.context.temp_override(scene=appended, view_layer=appended.view_layers[0]):
        assert bpy.ops.egstalker.remove_render_layer() == {"FINISHED"}
    assert layer_tree.is_on(scene) and not list(shadow.of_scene(appended))
    assert np.array_equal(rendered(scene, tmp_path / "last.png"), wanted)


def test_a_linked_scene_renders_and_its_layer_stays(shot: Any, scene: Any, tmp_path: Path) -> None:
    add_layer()
    scene.frame_set(1)  # where Blender 4.5 begins a linked scene
    wanted, blend = rendered(scene, tmp_path / "wanted.png"), str(tmp_path / "library.blend")
    name = scene.name = "linked"  # no other scene has that name
    bpy.ops.wm.save_as_mainfile(filepath=blend)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(blend, link=True) as (_, here):
        here.scenes = [name]
    linked = here.scenes[0]
    with bpy.context.temp_override(scene=linked, view_layer=linked.view_layers[0]):
        assert not bpy.ops.egstalker.remove_render_layer.poll()
    assert np.array_equal(rendered(linked, tmp_path / "linked.png"), wanted)


def test_an_appended_head_takes_a_new_shadow_mesh(shot: Any, scene: Any, tmp_path: Path) -> None:
    add_layer()
    blend, name = str(tmp_path / "library.blend"), shot.name
    bpy.ops.wm.save_as_mainfile(filepath=blend, copy=True)
    with bpy.data.libraries.load(blend, link=False) as (_, here):
        here.objects = [name]
    scene.collection.objects.link(here.objects[0])
    assert shadow.missing(scene) == [here.objects[0]]
    add_layer()
    assert len(list(shadow.of_scene(scene))) == 2 and not shadow.missing(scene)


# The shadow ------------------------------------------------------------------------------------


def lit_floor(scene: Any) -> None:
    """A wall behind the head, and a lamp beside the camera."""
    scene.world = bpy.data.worlds.new("dark")
    scene.world.color = (0, 0, 0)
    add_plane(scene, 0.4, 4.0, -2.0)
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.rotation_euler = 3, (math.pi / 2 - 0.5, 0, 0.5)
    scene.collection.objects.link(sun)


def test_the_shadow_mesh_casts_and_is_not_seen(shot: Any, scene: Any, tmp_path: Path) -> None:
    prepare(scene, samples=8, transparent=False)
    lit_floor(scene)
    empty = over_black(rendered(scene, tmp_path / "empty.png"))
    add_layer()
    (mesh,) = shadow.meshes_of(shot)
    scene.render.use_compositing = False  # what lies behind the head
    below = over_black(rendered(scene, tmp_path / "below.png"))
    dark = empty.mean(axis=2) - below.mean(axis=2)
    assert (dark > 0.2).mean() > 0.03  # on the wall, beside the head
    mesh.visible_camera = True
    seen = over_black(rendered(scene, tmp_path / "seen.png"))
    covered = np.abs(seen - below).max(axis=2) > 0.1
    assert covered.mean() > 0.05  # where the mesh would be
    lit = covered & (dark < 0.01)
    assert lit.mean() > 0.01 and np.abs(below - empty)[lit].max() < 0.1
    mesh.visible_camera, scene.render.use_compositing = False, True
    whole = rendered(scene, tmp_path / "whole.png")
    shot.hide_render = True
    again = over_black(rendered(scene, tmp_path / "hidden.png"))
    assert np.abs(again - empty).max() < 0.1  # the mesh is hidden with its head
    assert np.abs(over_black(whole) - below).max() > 0.3
