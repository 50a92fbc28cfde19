"""Drawing into a region: linear colour, hidden by meshes in front, GPU state restored."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import bpy
import gpu
import numpy as np
import pytest
from egstalker.core.render.numpy.tiles import rasterise
from egstalker.egstalker_blender.camera import lens_of_camera, render_size, scene_camera
from egstalker.egstalker_blender.viewport.atlas import Entry
from egstalker.egstalker_blender.viewport.draw import Item, Renderer
from egstalker.egstalker_blender.viewport.view import View, place
from gpu_extras.batch import batch_for_shader
from mathutils import Matrix

from tests.support.blender_viewport import canonical, demo, need_gpu, pixels, psnr, view_of

SIZE = 256
GREY = 0.2  # linear


@pytest.fixture
def region() -> Iterator[Any]:
    """An offscreen like a region of Blender: linear colour and depth."""
    need_gpu()
    offscreen = gpu.types.GPUOffScreen(SIZE, SIZE, format="RGBA32F")
    yield offscreen
    offscreen.free()


@pytest.fixture
def renderer() -> Iterator[Renderer]:
    need_gpu()
    made = Renderer()
    made.update([Entry(1, 1, canonical())])
    yield made
    made.release()


def draw(
    region: Any, renderer: Renderer, view: View, items: list[Item], wall: Any = None, **how: Any
) -> np.ndarray:
    """(H, W, 4) of a grey region; wall: corners of a triangle strip in the world, in black."""
    with region.bind():
        frame = gpu.state.active_framebuffer_get()
        frame.clear(color=(GREY, GREY, GREY, 1.0), depth=1.0)
        if wall is not None:
            _draw_wall(view, wall)
        renderer.draw(view, items, **how)
    return pixels(region.texture_color)


def _draw_wall(view: View, corners: Any) -> None:
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    batch = batch_for_shader(shader, "TRI_STRIP", {"pos": corners})
    gpu.state.depth_test_set("LESS_EQUAL")
    gpu.state.depth_mask_set(True)
    with gpu.matrix.push_pop(), gpu.matrix.push_pop_projection():
        gpu.matrix.load_matrix(Matrix(view.viewmat.tolist()))
        gpu.matrix.load_projection_matrix(Matrix(view.projmat.tolist()))
        shader.bind()
        shader.uniform_float("color", (0.0, 0.0, 0.0, 1.0))
        batch.draw(shader)
    gpu.state.depth_mask_set(False)
    gpu.state.depth_test_set("NONE")


def wall(y: float, right: float = 3.0) -> list[tuple[float, float, float]]:
    """Corners of a vertical wall at y (the face looks along -Y), from the far left to x = right."""
    return [(-3, y, -3), (right, y, -3), (-3, y, 3), (right, y, 3)]


def on_screen(linear: np.ndarray) -> np.ndarray:
    """A region's linear colour, as Blender shows it."""
    return np.clip(linear, 0, 1) ** (1 / 2.2)


def test_the_screen_shows_the_baked_colours(region: Any, renderer: Renderer) -> None:
    at = demo().camera.resized(SIZE, SIZE)
    found = draw(region, renderer, view_of(at), [Item(1, np.eye(4))])
    wanted = rasterise(canonical(), at)
    solid = wanted[..., 3] > 0.98
    straight = np.clip(wanted[..., :3] / np.maximum(wanted[..., 3:], 1e-6), 0, 1)
    assert solid.mean() > 0.1
    assert psnr(on_screen(found[..., :3])[solid], straight[solid]) >= 45
    # Soft edges mix in linear colour with what is behind them.
    mixed = straight**2.2 * wanted[..., 3:] + (1 - wanted[..., 3:]) * GREY
    assert psnr(on_screen(found[..., :3]), on_screen(mixed)) >= 45
    assert found[0, 0, :3] == pytest.approx(GREY)


def test_meshes_hide_what_is_behind_them(region: Any, renderer: Renderer) -> None:
    view, items = view_of(demo().camera.resized(SIZE, SIZE)), [Item(1, np.eye(4))]
    free = draw(region, renderer, view, items)
    behind = draw(region, renderer, view, items, wall(0.3))
    before = draw(region, renderer, view, items, wall(-0.3))
    half = draw(region, renderer, view, items, wall(-0.3, right=0.0))
    through = draw(region, renderer, view, items, wall(0.0))
    head = np.abs(free[..., :3] - GREY).max(axis=-1) > 0.01
    assert head.mean() > 0.1
    inside = rasterise(canonical(), demo().camera.resized(SIZE, SIZE))[..., 3] > 0.98
    assert np.abs(behind - free)[inside].max() < 0.03
    assert not before[..., :3].any()
    left, right = np.s_[:, : SIZE // 4], np.s_[:, SIZE * 3 // 4 :]
    assert not half[left][..., :3].any()
    assert (half[right] == free[right]).all()
    shown = (through[..., :3].max(axis=-1) > 0.001)[inside].mean()
    assert 0.2 < shown < 1.0  # the face stands out of the wall, the ears are behind it
    assert (draw(region, renderer, view, items, wall(-0.3), behind=False)[inside] != 0).any()


def test_no_depth_is_written(region: Any, renderer: Renderer) -> None:
    view = view_of(demo().camera.resized(SIZE, SIZE))
    modes = ("SPLATS", "BOUNDS")
    with region.bind():
        frame = gpu.state.active_framebuffer_get()
        frame.clear(color=(0, 0, 0, 0), depth=1.0)
        for mode in modes:
            renderer.draw(view, [Item(1, np.eye(4), mode)])
        depth = frame.read_depth(0, 0, SIZE, SIZE)
    depth.dimensions = SIZE * SIZE
    assert np.array(depth).min() == 1.0


@pytest.mark.parametrize("mode", ["SPLATS", "POINTS", "MOTION", "BOUNDS"])
def test_the_state_is_put_back(region: Any, renderer: Renderer, mode: str) -> None:
    view = view_of(demo().camera.resized(SIZE, SIZE))
    with region.bind():
        gpu.state.blend_set("ADDITIVE")
        gpu.state.depth_test_set("GREATER")
        gpu.state.depth_mask_set(True)
        framebuffer, viewport = gpu.state.active_framebuffer_get(), gpu.state.viewport_get()
        matrix = gpu.matrix.get_projection_matrix()
        renderer.draw(view, [Item(1, np.eye(4), mode)])
        assert gpu.state.blend_get() == "ADDITIVE"
        assert gpu.state.depth_test_get() == "GREATER"
        assert gpu.state.depth_mask_get() is True
        assert gpu.state.active_framebuffer_get() == framebuffer
        assert gpu.state.viewport_get() == viewport
        assert gpu.matrix.get_projection_matrix() == matrix
        gpu.state.blend_set("NONE")
        gpu.state.depth_test_set("NONE")
        gpu.state.depth_mask_set(False)


def test_the_state_is_put_back_when_drawing_fails(
    region: Any, renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renderer, "_quad_batch", lambda: 1 / 0)
    with region.bind():
        with pytest.raises(ZeroDivisionError):
            renderer.draw(view_of(demo().camera.resized(SIZE, SIZE)), [Item(1, np.eye(4))])
        assert gpu.state.blend_get() == "NONE"
        assert gpu.state.viewport_get()[2:] == (SIZE, SIZE)


def test_bounds_are_a_box_and_nothing_inside(region: Any, renderer: Renderer) -> None:
    view = view_of(demo().camera.resized(SIZE, SIZE))
    found = draw(region, renderer, view, [Item(1, np.eye(4), "BOUNDS")])
    drawn = np.abs(found[..., :3] - GREY).max(axis=-1) > 0.05
    assert 0.005 < drawn.mean() < 0.1


def test_unknown_heads_and_no_heads_draw_nothing(region: Any, renderer: Renderer) -> None:
    view = view_of(demo().camera.resized(SIZE, SIZE))
    for items in ([], [Item(99, np.eye(4))], [Item(1, np.zeros((4, 4)))]):
        assert draw(region, renderer, view, items)[..., :3] == pytest.approx(GREY)


def test_release_frees_textures_and_drawing_goes_on(region: Any, renderer: Renderer) -> None:
    view, items = view_of(demo().camera.resized(SIZE, SIZE)), [Item(1, np.eye(4))]
    first = draw(region, renderer, view, items)
    kept = weakref.ref(renderer._atlas), weakref.ref(renderer._targets.get(SIZE, SIZE))
    renderer.release()
    assert [reference() for reference in kept] == [None, None]
    renderer.update([Entry(1, 1, canonical())])
    assert (draw(region, renderer, view, items) == first).all()


@pytest.mark.parametrize("size", [(640, 480), (300, 400)])
def test_camera_view_and_bake_frame_alike(scene: Any, size: tuple[int, int]) -> None:
    """Blender's matrices of the scene's camera give the camera of the bake."""
    scene.render.resolution_x, scene.render.resolution_y = size
    obj = bpy.data.objects.new("head", None)
    obj.matrix_world = Matrix.LocRotScale((0.1, 0.2, 0.3), Matrix.Rotation(0.4, 3, "Z"), (2,) * 3)
    data = bpy.data.cameras.new("camera")
    data.lens, data.shift_x, data.shift_y = 62, 0.1, -0.07
    eye = bpy.data.objects.new("camera", data)
    eye.matrix_world = Matrix.Translation((0.3, -2, 0.5)) @ Matrix.Rotation(1.4, 4, "X")
    for each in (obj, eye):
        scene.collection.objects.link(each)
    scene.camera = eye
    bpy.context.view_layer.update()
    depsgraph = bpy.context.evaluated_depsgraph_get()
    baked = scene_camera(scene, depsgraph, obj, render_size(scene))
    projmat = eye.calc_matrix_camera(depsgraph, x=size[0], y=size[1])
    view = View(np.array(eye.matrix_world.inverted()), np.array(projmat), *size)
    assert view.lens == pytest.approx((baked.fx, baked.fy, baked.cx, baked.cy), abs=1e-3)
    placed = place(view, np.array(obj.matrix_world))
    assert placed is not None
    assert np.abs(placed.matrix - baked.viewmat[:3]).max() < 1e-5
    assert placed.eye == pytest.approx(baked.centre, abs=1e-4)


def test_support_sees_as_the_training_camera() -> None:
    """The Blender view that these tests make from a core camera equals that camera."""
    at = demo().camera.resized(SIZE, SIZE)
    placed = place(view_of(at), np.eye(4))
    assert placed is not None
    assert np.abs(placed.matrix - at.viewmat[:3]).max() < 1e-6
    assert lens_of_camera(at)[0].width == SIZE
