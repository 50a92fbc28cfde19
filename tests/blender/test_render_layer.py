"""The render layer: F12 shows what the bake shows, among meshes, in every supported Blender."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.errors import EngineError
from egstalker.egstalker_blender.render import failure, layer_group, layer_tree, shadow

from tests.support.blender import read_pixels
from tests.support.blender_compositor import compositor
from tests.support.blender_native import (
    EEVEE,
    ENGINES,
    add_plane,
    animation,
    baked,
    check_that_a_failing_frame_ends_blender,
    decibels,
    prepare,
    rendered,
    timed,
    use_engine,
)


@pytest.fixture
def shot(head: Any, scene: Any) -> Any:
    bpy.ops.egstalker.add_training_camera()
    prepare(scene, samples=1)
    scene.frame_set(3)
    assert bpy.ops.egstalker.add_render_layer() == {"FINISHED"}
    return head


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Instead of ending this Blender."""
    calls: list[tuple[str, int]] = []
    monkeypatch.setattr(failure, "_leave", lambda text, code: calls.append((text, code)))
    return calls


@pytest.mark.parametrize("engine", ENGINES)
def test_it_equals_the_bake(shot: Any, scene: Any, tmp_path: Path, engine: str) -> None:
    bake = baked(shot, scene, tmp_path)
    use_engine(scene, engine, 1)
    assert timed(scene, tmp_path / "render.png", "render layer", bake) >= 50
    picture = read_pixels(tmp_path / "render.png")
    assert bake[..., 3].mean() > 0.1
    assert np.abs(picture[..., 3] - bake[..., 3]).max() < 0.01


def test_motion_blur_equals_the_bake(shot: Any, scene: Any, tmp_path: Path) -> None:
    sharp = rendered(scene, tmp_path / "sharp.png")
    for frame, x in ((2, -0.1), (4, 0.1)):
        scene.camera.location.x = x
        scene.camera.keyframe_insert("location", frame=frame)
    scene.render.use_motion_blur, scene.render.motion_blur_shutter = True, 1.0
    shot.egstalker.use_motion_blur, shot.egstalker.motion_blur_samples = True, 4
    scene.frame_set(3)
    picture = rendered(scene, tmp_path / "render.png")
    assert scene.frame_current_final == 3
    assert decibels(picture, baked(shot, scene, tmp_path)) >= 50
    assert decibels(picture, sharp) < 40


def test_meshes_hide_the_head_and_are_hidden_by_it(shot: Any, scene: Any, tmp_path: Path) -> None:
    free = rendered(scene, tmp_path / "free.png")
    half = scene.render.resolution_x // 2
    plane = add_plane(scene, -0.5)  # before the right half of the picture
    before = rendered(scene, tmp_path / "before.png")
    plane.hide_render = True
    assert np.array_equal(before[:, : half - 4], free[:, : half - 4])
    plane.hide_render, shot.hide_render = False, True
    alone = rendered(scene, tmp_path / "alone.png")
    assert np.abs(before - alone)[:, half + 4 :].max() < 0.01
    shot.hide_render, plane.location.y = False, 1.5  # now behind it
    behind = rendered(scene, tmp_path / "behind.png")
    solid = free[..., 3] > 0.98
    assert solid[:, half + 4 :].sum() > 20
    assert np.abs(behind - free)[..., :3][solid].max() < 0.05
    assert alone[:, : half - 4].max() == 0


@pytest.mark.parametrize(
    ("held_out", "engine"),
    [("object", EEVEE), *((way, "CYCLES") for way in ("object", "collection", "instance"))],
)
def test_a_holdout_cuts_the_head(
    shot: Any, scene: Any, tmp_path: Path, held_out: str, engine: str
) -> None:
    """It writes no depth, in no engine. Behind the head it cuts nothing of it."""
    use_engine(scene, engine, 1)
    free, half = rendered(scene, tmp_path / "free.png"), scene.render.resolution_x // 2
    plane = add_plane(scene, -0.5)  # before the right half of the picture
    if held_out == "object":
        plane.is_holdout = True
    else:
        props = bpy.data.collections.new("props")
        props.objects.link(plane)
        scene.collection.objects.unlink(plane)
        if held_out == "collection":
            scene.collection.children.link(props)
            scene.view_layers[0].layer_collection.children["props"].holdout = True
        else:
            empty = bpy.data.objects.new("instance", None)
            empty.instance_type, empty.instance_collection = "COLLECTION", props
            empty.is_holdout = True
            scene.collection.objects.link(empty)
    cut = rendered(scene, tmp_path / "cut.png")
    assert cut[:, half + 4 :, 3].max() == 0 < free[:, half + 4 :, 3].max()
    assert np.array_equal(cut[:, : half - 4], free[:, : half - 4])
    plane.location.y = 1.5
    behind = rendered(scene, tmp_path / "behind.png")
    assert np.abs(behind - free).max() < 0.01


def test_percentage_and_border(shot: Any, scene: Any, tmp_path: Path) -> None:
    render = scene.render
    render.resolution_percentage = 50
    whole = rendered(scene, tmp_path / "whole.png")
    height, width = whole.shape[:2]
    assert (height, width) == (scene.render.resolution_y // 2, scene.render.resolution_x // 2)
    render.use_border = True
    render.border_min_x, render.border_max_x = 0.3, 0.9
    render.border_min_y, render.border_max_y = 0.2, 0.77
    x, y = (int(0.3 * width), int(0.9 * width)), (int(0.2 * height), int(0.77 * height))
    rows = slice(height - y[1], height - y[0])
    inside = whole[rows, slice(*x)]
    outside = rendered(scene, tmp_path / "border.png").copy()
    assert np.abs(outside[rows, slice(*x)] - inside).max() < 0.01
    outside[rows, slice(*x)] = 0
    assert outside.max() == 0
    render.use_crop_to_border = True
    cropped = rendered(scene, tmp_path / "cropped.png")
    assert cropped.shape == inside.shape and np.abs(cropped - inside).max() < 0.01


def test_several_heads_and_layers(shot: Any, scene: Any, tmp_path: Path) -> None:
    alone = rendered(scene, tmp_path / "alone.png")
    copy = shot.copy()
    scene.collection.objects.link(copy)
    copy.location.x = 0.1
    both = rendered(scene, tmp_path / "both.png")
    assert both[..., 3].mean() > 1.1 * alone[..., 3].mean()
    copy.hide_render = True
    assert np.array_equal(rendered(scene, tmp_path / "again.png"), alone)


def test_the_images_are_empty_outside_a_render(shot: Any, scene: Any, tmp_path: Path) -> None:
    frames = animation(scene, tmp_path)
    assert list(frames) == [2, 3, 4] and not np.array_equal(frames[2], frames[4])
    for image in layer_group.images_of(layer_tree.group_of(scene)):
        values = np.empty(4 * image.size[0] * image.size[1], np.float32)
        image.pixels.foreach_get(values)
        assert values.max() == 0 and not image.is_dirty


def test_a_failed_frame_ends_the_render(
    shot: Any, scene: Any, tmp_path: Path, left: list[tuple[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from egstalker.egstalker_blender.render import layer_frames

    def fail(*_: Any) -> None:
        raise EngineError("the engine is gone")

    monkeypatch.setattr(layer_frames, "bake_frames", fail)
    assert rendered(scene, tmp_path / "one.png").max() == 0
    assert left == [("frame 3 is not rendered: the engine is gone", 1)]
    assert "engine is gone" in failure.failure()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert failure.failure() == ""  # it was about another file


def test_stereo_is_refused(
    shot: Any, scene: Any, tmp_path: Path, left: list[tuple[str, int]]
) -> None:
    scene.render.use_multiview = True
    scene.render.filepath = str(tmp_path / "one.png")
    bpy.ops.render.render(write_still=True)
    assert len(left) == 1 and "stereo" in left[0][0] and left[0][1] == 2


def test_a_blender_without_a_window_ends_with_the_error(
    shot: Any, scene: Any, tmp_path: Path
) -> None:
    """Its third frame cannot be computed: the head is scaled unevenly."""
    check_that_a_failing_frame_ends_blender(shot, tmp_path)


def test_the_users_nodes_stay_and_removing_leaves_nothing(head: Any, scene: Any) -> None:
    tree, output = compositor(scene)
    own = tree.nodes.new("CompositorNodeRLayers")
    tree.links.new(own.outputs["Image"], output.inputs[0])
    count, groups = len(tree.nodes), set(bpy.data.node_groups)
    objects, images = set(bpy.data.objects), set(bpy.data.images)
    assert bpy.ops.egstalker.add_render_layer() == {"FINISHED"}
    assert layer_tree.is_on(scene) and scene.view_layers[0].use_pass_z
    assert not bpy.ops.egstalker.add_render_layer.poll()
    assert bpy.ops.egstalker.remove_render_layer() == {"FINISHED"}
    assert layer_tree.node_of(scene) is None and not scene.view_layers[0].use_pass_z
    assert len(tree.nodes) == count and output.inputs[0].links[0].from_node == own
    assert set(bpy.data.node_groups) == groups and set(bpy.data.images) == images
    assert set(bpy.data.objects) == objects


def test_a_saved_file_keeps_the_layer(shot: Any, scene: Any, tmp_path: Path) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    scene = bpy.context.scene
    assert layer_tree.is_on(scene) and not shadow.missing(scene)
    assert rendered(scene, tmp_path / "again.png")[..., 3].mean() > 0.1
