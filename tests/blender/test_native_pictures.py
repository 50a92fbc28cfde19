"""What Blender's own render shows of a head: equal to the bake, among meshes, frame by frame."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.egstalker_blender.render import cloud, native
from numpy.typing import NDArray

from tests.support.blender import read_pixels
from tests.support.blender_native import (
    EEVEE,
    ENGINES,
    add_plane,
    animation,
    baked,
    decibels,
    needs_splats,
    prepare,
    rendered,
    timed,
    use_engine,
)

pytestmark = needs_splats
SIDE = 256  # of the picture that bake and render are compared at: splats thinner than its pixels
SAMPLES = {"CYCLES": 64, EEVEE: 16}


@pytest.fixture
def shot(head: Any, scene: Any) -> Any:
    """The avatar before the camera that it was filmed with."""
    bpy.ops.egstalker.add_training_camera()
    prepare(scene)
    scene.frame_set(2)
    return head


def alpha(picture: NDArray[np.float32]) -> float:
    return float(picture[..., 3].mean())


@pytest.mark.parametrize("engine", ENGINES)
def test_the_render_shows_what_the_bake_shows(scene: Any, tmp_path: Path, engine: str) -> None:
    bpy.ops.egstalker.add_talking_head()
    head = bpy.context.object
    bpy.ops.egstalker.add_training_camera()
    scene.render.resolution_x = scene.render.resolution_y = SIDE
    scene.frame_set(20)
    head.egstalker.file_stem = "frame_"
    wanted = baked(head, scene, tmp_path)
    prepare(scene)
    use_engine(scene, engine, SAMPLES.get(engine, 0))
    assert timed(scene, tmp_path / "render.png", f"native, {SIDE} x {SIDE}", wanted) >= 38


def test_frames_of_an_animation_are_those_of_single_renders(
    shot: Any, scene: Any, tmp_path: Path
) -> None:
    frames = animation(scene, tmp_path)
    assert list(frames) == [2, 3, 4]
    assert not np.array_equal(frames[2], frames[4])
    scene.frame_set(4)
    assert np.array_equal(rendered(scene, tmp_path / "alone.png"), frames[4])
    assert cloud.is_empty(native.cloud_of(shot))


def test_a_mesh_hides_the_head_and_is_hidden_by_it(shot: Any, scene: Any, tmp_path: Path) -> None:
    scene.frame_set(3)
    free = rendered(scene, tmp_path / "free.png")
    half = scene.render.resolution_x // 2
    plane = add_plane(scene, -0.2)  # before the right half of the picture
    plane.is_holdout = True
    before = rendered(scene, tmp_path / "before.png")
    assert alpha(before[:, half + 4 :]) < 0.02 < 0.2 < alpha(free[:, half + 4 :])
    assert np.abs(before[:, : half - 4] - free[:, : half - 4]).mean() < 0.01
    plane.location.y = 0.6  # now behind it
    behind = rendered(scene, tmp_path / "behind.png")
    inside = free[..., 3] > 0.9
    assert inside.sum() > 50
    assert alpha(behind[:, half + 4 :]) > 0.5 * alpha(free[:, half + 4 :])
    assert behind[..., 3][inside].mean() > 0.9


def test_holdout_percentage_and_region(shot: Any, scene: Any, tmp_path: Path) -> None:
    scene.render.resolution_percentage = 50
    small = rendered(scene, tmp_path / "small.png")
    assert small.shape[:2] == (24, 28) and alpha(small) > 0.2
    scene.render.use_border = scene.render.use_crop_to_border = True
    scene.render.border_min_x, scene.render.border_max_x = 0.0, 0.5
    part = rendered(scene, tmp_path / "part.png")
    assert part.shape[1] == 14
    assert np.abs(part - small[-part.shape[0] :, :14]).mean() < 0.1  # other noise
    shot.is_holdout = True
    assert alpha(rendered(scene, tmp_path / "holdout.png")) < 0.001
    shot.is_holdout, shot.hide_render = False, True
    assert alpha(rendered(scene, tmp_path / "hidden.png")) == 0


def test_depth_mist_matte_and_index(shot: Any, scene: Any, tmp_path: Path) -> None:
    layer = scene.view_layers[0]
    layer.use_pass_z = layer.use_pass_object_index = layer.use_pass_cryptomatte_object = True
    layer.use_pass_mist, scene.world = True, bpy.data.worlds.new("mist")
    mist = scene.world.mist_settings
    mist.start, mist.depth, mist.falloff = 0.25, 2.0, "LINEAR"
    shot.pass_index = 7
    tree = bpy.data.node_groups.new("passes", "CompositorNodeTree")
    tree.interface.new_socket(name="Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    layers, out = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("NodeGroupOutput")
    matte = tree.nodes.new("CompositorNodeCryptomatteV2")
    matte.source, matte.scene, matte.matte_id = "RENDER", scene, shot.name
    scene.compositor_effects.new("passes").node_group = tree
    settings = scene.render.image_settings
    settings.file_format, settings.color_depth = "OPEN_EXR", "32"

    def result(socket: Any, name: str) -> NDArray[np.float32]:
        tree.links.clear()
        tree.links.new(socket, out.inputs[0])
        return rendered(scene, tmp_path / f"{name}.exr")[..., 0]

    depth = result(layers.outputs["Depth"], "depth")
    away = math.dist(scene.camera.matrix_world.translation, shot.matrix_world.translation)
    there = depth < 1e9
    assert 0.2 < there.mean() < 0.95
    assert abs(np.median(depth[there]) - away) < 0.15
    hazy = result(layers.outputs["Mist"], "mist")
    solid = there & (hazy < 1)
    assert np.median(hazy[solid]) == pytest.approx((away - mist.start) / mist.depth, abs=0.05)
    index = result(layers.outputs["Object Index"], "index")
    assert index[there].max() == pytest.approx(7) and index.mean() > 1
    seen = result(layers.outputs["Alpha"], "alpha")
    assert hazy[seen == 0].min() == 1
    cut = result(matte.outputs["Matte"], "matte")
    assert np.abs(cut - seen).mean() < 0.02 and cut[seen == 0].max() == 0 < cut.mean()


def test_the_head_casts_a_shadow(shot: Any, scene: Any, tmp_path: Path) -> None:
    prepare(scene, samples=8, transparent=False)
    scene.world = bpy.data.worlds.new("dark")
    scene.world.color = (0, 0, 0)
    floor = add_plane(scene, 0.3, 4.0, -2.0)
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.rotation_euler = 3, (math.pi / 2 - 0.5, 0, 0.5)
    scene.collection.objects.link(sun)
    with_head = rendered(scene, tmp_path / "with.png")
    shot.visible_camera = False
    shadow = rendered(scene, tmp_path / "shadow.png")
    shot.hide_render = True
    without = rendered(scene, tmp_path / "without.png")
    dark = without[..., :3].mean(axis=2) - shadow[..., :3].mean(axis=2)
    assert floor.name and without[..., :3].mean() > 0.2
    assert (dark > 0.2).mean() > 0.01
    assert not np.array_equal(with_head, shadow)


def test_a_face_that_moves_is_blurred(shot: Any, scene: Any, tmp_path: Path) -> None:
    """By its deformation alone: the object stands still."""
    prepare(scene, samples=16)
    scene.render.motion_blur_shutter = 1.0
    changes = []
    for strength in (0.0, 8.0):
        shot.egstalker.strength = strength
        pictures = []
        for is_on in (False, True):
            scene.render.use_motion_blur = is_on
            scene.frame_set(3)
            pictures.append(rendered(scene, tmp_path / f"{strength}{is_on}.png"))
        changes.append(float(np.abs(pictures[0] - pictures[1]).mean()))
    still, speaking = changes
    assert speaking > 4 * still


def test_both_eyes_of_a_stereo_render_see_the_head(shot: Any, scene: Any, tmp_path: Path) -> None:
    scene.render.use_multiview = True
    scene.render.image_settings.views_format = "INDIVIDUAL"
    scene.camera.data.stereo.interocular_distance = 0.05
    scene.camera.data.stereo.convergence_distance = 0.75
    scene.render.filepath = str(tmp_path / "eye.png")
    bpy.ops.render.render(write_still=True)
    left, right = (read_pixels(tmp_path / f"eye_{side}.png") for side in "LR")
    assert alpha(left) > 0.2 < alpha(right)
    assert abs(alpha(left) - alpha(right)) < 0.05 < np.abs(left - right).max()


def test_two_heads_that_speak_differently(shot: Any, scene: Any, tmp_path: Path) -> None:
    alone = rendered(scene, tmp_path / "alone.png")
    copy = shot.copy()
    scene.collection.objects.link(copy)
    copy.egstalker.strength = 0.0
    copy.location.x = 0.05
    both = rendered(scene, tmp_path / "both.png")
    assert alpha(both) > alpha(alone) * 1.1
    copy.hide_render = True
    assert np.array_equal(rendered(scene, tmp_path / "again.png"), alone)


def test_scenes_and_view_layers(shot: Any, scene: Any, tmp_path: Path) -> None:
    alone = rendered(scene, tmp_path / "alone.png")
    scene.view_layers.new("second").layer_collection.exclude = False
    assert np.abs(rendered(scene, tmp_path / "layers.png") - alone).mean() < 0.01
    shot.egstalker.sound_source, shot.egstalker.sound_file = "FILE", str(tmp_path / "voice.wav")
    other = bpy.data.scenes.new("other")
    other.collection.objects.link(shot)
    other.camera = scene.camera
    other.render.resolution_x, other.render.resolution_y = 56, 48
    prepare(other)
    other.render.fps = 25
    other.frame_set(2)
    assert alpha(rendered(other, tmp_path / "other.png")) > 0.2


@pytest.mark.parametrize("engine", [engine for engine in ENGINES if engine != "CYCLES"])
def test_other_engines_show_the_head(shot: Any, scene: Any, tmp_path: Path, engine: str) -> None:
    cycles = rendered(scene, tmp_path / "cycles.png")
    use_engine(scene, engine, 4)
    other = rendered(scene, tmp_path / "other.png")
    assert decibels(other, cycles) > 17 and abs(alpha(other) - alpha(cycles)) < 0.05
