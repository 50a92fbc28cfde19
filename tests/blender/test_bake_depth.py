"""Depth, matte and motion blur of a bake, from the object's settings to Blender's own loader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.errors import ArgumentError

from core.images.image import to_linear
from core.images.layers import EMPTY, mean_of
from tests.support.blender import HEIGHT, WIDTH, job_of, names, read_png
from tests.support.blender_compositor import compositor, passes_of, render_float
from tests.support.blender_native import add_plane, prepare


def test_blender_reads_the_layers_as_passes(head: Any, scene: Any, tmp_path: Path) -> None:
    """Depth as Blender's own Z: along the camera's axis, in units of the scene, 1e10 where there is
    nothing."""
    bpy.ops.egstalker.add_training_camera()
    head.scale = (2, 2, 2)
    props = head.egstalker
    props.camera_source, props.file_format = "scene", "exr-multilayer"
    props.size_source, props.width, props.height = "OWN", WIDTH, HEIGHT
    scene.frame_start = scene.frame_end = 3
    assert bpy.ops.egstalker.bake(engine="builtin") == {"FINISHED"}
    assert names(tmp_path / "out") == ["frame_0003.exr"]
    bpy.context.view_layer.update()
    camera = scene.camera.matrix_world
    axis = -camera.col[2].xyz.normalized()
    distance = (head.matrix_world.translation - camera.translation).dot(axis)
    found = passes_of(tmp_path / "out" / "frame_0003.exr", scene, (WIDTH, HEIGHT), tmp_path)
    assert set(found) >= {"Combined", "Depth", "matte"}
    matte, depth = found["matte"][..., 0], found["Depth"][..., 0]
    np.testing.assert_array_equal(matte, found["Combined"][..., 3])
    assert (depth[matte == 0] == np.float32(EMPTY)).all()
    seen = matte > 0.05
    assert 0.05 < seen.mean() < 1
    # The head's own extent is some 2 dm to either side, twice as large.
    assert np.abs(depth[seen] - distance).max() < 0.6
    assert depth[seen].mean() == pytest.approx(distance, abs=0.2)


def test_the_matte_remains_over_a_background(head: Any, scene: Any, tmp_path: Path) -> None:
    head.egstalker.file_format = "exr-multilayer"
    assert bpy.ops.egstalker.bake(engine="builtin") == {"FINISHED"}
    found = passes_of(tmp_path / "out" / "frame_0003.exr", scene, (WIDTH, HEIGHT), tmp_path)
    assert (found["Combined"][..., 3] == 1).all()
    matte = found["matte"][..., 0]
    assert matte.min() == 0 and matte.max() > 0.5
    assert ((found["Depth"][..., 0] < 1e9) == (matte > 0)).all()


def test_blender_combines_a_bake_with_meshes_by_depth(
    head: Any, scene: Any, tmp_path: Path
) -> None:
    """Z Combine of a baked file and a render of meshes. The plane is black: there is no light."""
    bpy.ops.egstalker.add_training_camera()
    props = head.egstalker
    props.camera_source, props.file_format, props.use_meshes = "scene", "exr-multilayer", False
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.frame_start = scene.frame_end = 3
    scene.frame_set(3)
    plane = add_plane(scene, -0.5)  # before the right half of the picture
    assert bpy.ops.egstalker.bake(engine="builtin") == {"FINISHED"}
    head.hide_render = True  # what is seen of it is the file's
    prepare(scene, samples=1)
    scene.view_layers[0].use_pass_z = True
    tree, output = compositor(scene)
    image, combine = (tree.nodes.new(f"CompositorNode{kind}") for kind in ("Image", "Zcombine"))
    image.image = bpy.data.images.load(str(tmp_path / "out" / "frame_0003.exr"))
    layers = tree.nodes.new("CompositorNodeRLayers")
    sources = (
        *(layers.outputs[name] for name in ("Image", "Depth")),
        *(image.outputs[name] for name in ("Combined", "Depth")),
    )
    for source, target in zip(sources, combine.inputs, strict=False):
        tree.links.new(source, target)
    tree.links.new(combine.outputs[0], output.inputs[0])
    half = WIDTH // 2
    before = render_float(scene, tmp_path / "before.exr")
    plane.location.y = 1.5  # now behind it
    behind = render_float(scene, tmp_path / "behind.exr")
    assert before[:, half + 4 :, :3].max() == 0 < behind[:, half + 4 :, :3].max()
    np.testing.assert_allclose(before[:, : half - 4], behind[:, : half - 4], atol=1e-6)
    assert behind[:, : half - 4, :3].max() > 0.2


def test_motion_blur_takes_the_shutter_of_the_scene(head: Any, scene: Any) -> None:
    render, props = scene.render, head.egstalker
    assert all(not task.blur for task in job_of(head).frames)
    props.use_motion_blur, props.motion_blur_samples = True, 4
    render.motion_blur_shutter, render.motion_blur_position = 0.5, "START"
    tasks = job_of(head).frames
    assert [task.number for task in tasks] == [2, 3, 4]
    for task in tasks:
        frames = [task.number + (k + 0.5) / 8 for k in range(4)]
        seconds = [instant.moment.seconds for instant in task.blur]
        assert seconds == pytest.approx([(frame - 1) / 25 for frame in frames])
    render.motion_blur_position = "END"
    last = job_of(head).frames[0].blur[-1].moment.seconds
    assert last == pytest.approx((2 - 1 / 16 - 1) / 25)


def test_keys_and_the_camera_move_between_frames(head: Any, scene: Any) -> None:
    bpy.ops.egstalker.add_training_camera()
    camera, props = scene.camera, head.egstalker
    for frame, value in ((2, 0.0), (4, 0.8)):
        camera.location.x, props.strength = value, value
        camera.keyframe_insert("location", frame=frame)
        props.keyframe_insert("strength", frame=frame)
    props.camera_source, props.use_motion_blur, props.motion_blur_samples = "scene", True, 2
    scene.render.motion_blur_shutter, scene.render.motion_blur_position = 1.0, "CENTER"
    scene.frame_set(9, subframe=0.5)
    task = job_of(head).frames[1]  # frame 3, from 2.5 to 3.5
    assert (scene.frame_current, scene.frame_subframe) == (9, 0.5)
    before, after = task.blur
    assert (before.moment.strength, after.moment.strength) == (
        pytest.approx(task.moment.strength - 0.15, abs=0.05),
        pytest.approx(task.moment.strength + 0.15, abs=0.05),
    )
    moved = (after.camera.centre - before.camera.centre)[0]
    assert moved == pytest.approx(3, abs=1)  # decimetres: about half of 0.8 m a frame
    assert task.camera.centre[0] == pytest.approx(
        (after.camera.centre + before.camera.centre)[0] / 2, abs=0.05
    )


def test_a_blurred_bake_is_the_mean_of_sharp_ones(head: Any, scene: Any, tmp_path: Path) -> None:
    """The same pictures at four times the frame rate, averaged in linear light."""
    props = head.egstalker
    props.use_plate, props.use_motion_blur, props.motion_blur_samples = False, True, 2
    scene.render.motion_blur_shutter, scene.render.motion_blur_position = 1.0, "START"
    scene.frame_start = scene.frame_end = 3
    assert bpy.ops.egstalker.bake(engine="builtin") == {"FINISHED"}
    blurred = read_png(tmp_path / "out" / "frame_0003.png")
    props.use_motion_blur, props.file_stem = False, "sharp_"
    scene.render.fps = 100  # the strip begins at frame 1 and keeps its length: frame 3 is now 9
    scene.frame_start, scene.frame_end, scene.frame_step = 10, 12, 2
    assert bpy.ops.egstalker.bake(engine="builtin") == {"FINISHED"}
    sharp = [read_png(tmp_path / "out" / f"sharp_{n:04d}.png") for n in (10, 12)]
    premultiplied = []
    for pixels in sharp:
        image = pixels.astype(np.float32) / 255
        image[..., :3] *= image[..., 3:]
        premultiplied.append(image)
    expected, image = mean_of(premultiplied), blurred.astype(np.float32) / 255
    image[..., :3] *= image[..., 3:]
    assert np.abs(to_linear(image) - to_linear(expected)).max() < 0.01
    assert np.abs(sharp[0].astype(int) - sharp[1]).max() > 2


def test_a_shutter_that_never_opens_is_named(head: Any, scene: Any) -> None:
    head.egstalker.use_motion_blur = True
    scene.render.motion_blur_shutter = 0
    with pytest.raises(ArgumentError, match="shutter"):
        job_of(head)
