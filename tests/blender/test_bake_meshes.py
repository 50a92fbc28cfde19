"""Meshes before the head hide it in bakes by the scene's camera, as they do in a render."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.errors import ArgumentError
from egstalker.egstalker_blender import meshes
from egstalker.egstalker_blender.controls import frames

from core.images.layers import EMPTY
from tests.support.blender import job_of
from tests.support.blender_native import add_plane, baked, decibels, prepare, rendered


@pytest.fixture
def shot(head: Any, scene: Any) -> Any:
    bpy.ops.egstalker.add_training_camera()
    prepare(scene, samples=1)
    scene.frame_set(3)
    head.egstalker.camera_source = "scene"
    head.egstalker.range_source, head.egstalker.frame_start = "OWN", 3
    head.egstalker.frame_end = 3
    return head


def meshes_of(obj: Any) -> Any:
    return job_of(obj).frames[0].meshes


def test_a_mesh_hides_what_is_behind_it(shot: Any, scene: Any, tmp_path: Path) -> None:
    free, half = baked(shot, scene, tmp_path), scene.render.resolution_x // 2
    plane = add_plane(scene, -0.5)  # before the right half of the picture
    before = baked(shot, scene, tmp_path)
    assert np.array_equal(before[:, : half - 4], free[:, : half - 4])
    assert before[:, half + 4 :, 3].max() == 0 < free[:, half + 4 :, 3].max()
    shot.egstalker.use_meshes = False
    assert np.array_equal(baked(shot, scene, tmp_path), free)
    shot.egstalker.use_meshes, plane.location.y = True, 1.5  # now behind it
    assert np.array_equal(baked(shot, scene, tmp_path), free)


def test_depth_is_that_of_the_nearest_mesh(shot: Any, scene: Any) -> None:
    """Along the camera's axis in units of the scene, also of a head that is twice as large."""
    shot.scale = (2, 2, 2)
    near, far = add_plane(scene, -0.55, x=-2.0), add_plane(scene, -0.35)
    found = meshes_of(shot).depth
    away = -scene.camera.matrix_world.translation.y
    assert found.shape[1] > 20
    # The camera is turned a little.
    assert found[:, 0].mean() == pytest.approx(away - 0.55, abs=0.1)
    assert found[:, -1].mean() == pytest.approx(away - 0.35, abs=0.1)
    far.location.x, near.location.x = -2, 1  # both before the left half
    found = meshes_of(shot).depth
    assert found[:, 0].mean() == pytest.approx(away - 0.55, abs=0.1)


def test_it_cuts_where_a_render_cuts(shot: Any, scene: Any, tmp_path: Path) -> None:
    """The render layer beside it: a mesh that is neither before nor behind all of the head. It is
    black, because there is no light."""
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.08, location=(0.03, -0.1, 0.0))
    bpy.context.view_layer.objects.active = shot
    cut = baked(shot, scene, tmp_path)
    shot.egstalker.use_meshes = False
    whole = baked(shot, scene, tmp_path)
    assert bpy.ops.egstalker.add_render_layer() == {"FINISHED"}
    scene.cycles.samples = 16
    render = rendered(scene, tmp_path / "render.png")
    assert decibels(render, whole) < 15
    assert decibels(render, cut) > 25


def test_triangles_at_once_are_what_rays_find(
    shot: Any, scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of quads with a modifier, scaled and turned, of a mesh that reaches behind the camera, and of
    one of triangles alone."""
    bpy.ops.mesh.primitive_monkey_add(size=0.2, location=(0.02, -0.2, 0), rotation=(0.3, 1, 2))
    bpy.context.object.scale = (1, 0.7, 1.3)
    bpy.context.object.modifiers.new("finer", "SUBSURF").levels = 1
    bpy.ops.mesh.primitive_grid_add(size=3, x_subdivisions=7, location=(0, -1, -0.02))
    bpy.ops.mesh.primitive_torus_add(
        major_radius=0.03, minor_radius=0.002, location=(-0.05, -0.4, 0.05)
    )
    bpy.context.object.modifiers.new("row", "ARRAY").count = 3
    bpy.context.object.modifiers.new("triangles", "TRIANGULATE")
    bpy.context.view_layer.objects.active = shot
    at_once = meshes_of(shot)
    monkeypatch.setattr(meshes, "nearest_triangles", lambda *_: None)
    one_by_one = meshes_of(shot)
    assert (at_once.left, at_once.top) == (one_by_one.left, one_by_one.top)
    there = one_by_one.depth < EMPTY
    assert 0.2 < there.mean() < 0.95
    both = there & (at_once.depth < EMPTY)
    assert (there != (at_once.depth < EMPTY)).mean() < 0.002  # rounding at outlines
    differs = np.abs(at_once.depth - one_by_one.depth)[both] > 1e-4
    assert differs.mean() < 0.002


def test_which_meshes_count(shot: Any, scene: Any) -> None:
    plane = add_plane(scene, -0.5)
    assert meshes_of(shot) is not None
    for name, value in (("hide_render", True), ("visible_camera", False)):
        before = getattr(plane, name)
        setattr(plane, name, value)
        assert meshes_of(shot) is None
        setattr(plane, name, before)
    collection = bpy.data.collections.new("props")
    scene.collection.objects.unlink(plane)
    collection.objects.link(plane)
    empty = bpy.data.objects.new("props", None)
    empty.instance_type, empty.instance_collection = "COLLECTION", collection
    assert meshes_of(shot) is None
    scene.collection.objects.link(empty)
    assert meshes_of(shot) is not None  # instances count, too
    empty.location.y = 3
    assert meshes_of(shot) is None
    empty.location.y = 0
    shot.egstalker.camera_source = "training"
    assert meshes_of(shot) is None


def test_a_moving_mesh_hides_at_each_frame(shot: Any, scene: Any) -> None:
    plane = add_plane(scene, -0.5)
    shot.egstalker.frame_start, shot.egstalker.frame_end = 2, 4
    for frame, x in ((2, 0.0), (4, 5.0)):
        plane.location.x = x
        plane.keyframe_insert("location", frame=frame)
    assert [task.meshes is None for task in job_of(shot).frames] == [False, True, True]


def test_more_than_fits_into_memory_is_refused(
    shot: Any, scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_plane(scene, -0.5)
    monkeypatch.setattr(frames, "MOST_MESH_BYTES", 100)
    with pytest.raises(ArgumentError, match="Hidden by Meshes"):
        job_of(shot)
