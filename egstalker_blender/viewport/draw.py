"""Draws heads into the bound framebuffer. No handlers, no context: all input is in the arguments.

Gaussians blend in sRGB-encoded values (core/images/image.py), Blender's region blends in linear
ones, and the region's depth buffer cannot be read. So there are two steps. First the splats are
blended into a target of our own, farthest first. Then one quad composites the result over the
region, in linear colour and at the head's mean depth in each pixel, so that the depth test hides
it behind meshes. Nothing is read back, and no depth is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import gpu
import numpy as np

from ...core.records.arrays import Float32, Float64
from ...core.render.rasteriser import NEAR
from . import bounds, shaders
from .atlas import Atlas, Entry, Key, identity, pack_order, upload
from .display import MAX_SH_DEGREE, MODES
from .sorting import Order, order
from .targets import Target, Targets
from .view import Placed, View, place

DECIMETRE = 0.1  # metres
POINT_RADIUS = 1.25  # pixels


@dataclass(frozen=True, eq=False)
class Item:
    """One head to draw. key: of its entry in the atlas. world (4, 4) float64: the object's world
    matrix. mode: one of display.MODES. motion_range: metres of movement drawn in full red."""

    key: Key
    world: Float64
    mode: str = "SPLATS"
    sh_degree: int = MAX_SH_DEGREE
    motion_range: float = 0.005


class Renderer:
    """Shaders and textures of one GPU context. `release` frees all of them; the next drawing
    creates them again."""

    def __init__(self) -> None:
        self._targets = Targets()
        self._atlas: Atlas | None = None
        self._splat: gpu.types.GPUShader | None = None
        self._show: gpu.types.GPUShader | None = None
        self._quad: gpu.types.GPUBatch | None = None

    def update(self, entries: Sequence[Entry]) -> None:
        """Set the heads that can be drawn. Textures are uploaded only where the entries differ."""
        if not entries:
            self._atlas = None
            self._targets.clear()
        elif self._atlas is None or self._atlas.identity != identity(entries):
            self._atlas = None  # frees the old textures first
            self._atlas = Atlas(entries)

    def draw(
        self, view: View, items: Sequence[Item], pixel: float = 1.0, behind: bool = True
    ) -> None:
        """Draw into the active framebuffer. Items without an entry or without volume are skipped.
        pixel: pixels of the screen in one of the interface. behind: meshes hide heads; False where
        the depth buffer does not contain them."""
        placed = self._placed(view, items)
        with _state_restored():
            test = "LESS_EQUAL" if behind else "NONE"
            splats = [(item, at) for item, at in placed if item.mode != "BOUNDS"]
            if splats:
                target, depths = self.blend(view, splats, pixel)
                self._composite(view, target, depths, test)
            if self._atlas:
                for item, _ in placed:
                    if item.mode == "BOUNDS":
                        gpu.state.depth_test_set(test)
                        bounds.draw_box(view, item.world, self._atlas.box(item.key))

    def blend(
        self, view: View, splats: Sequence[tuple[Item, Placed]], pixel: float = 1.0
    ) -> tuple[Target, Order]:
        """Blend splats, points and motion into a target of our own. Returns it, and the drawing
        order with the range of depths."""
        atlas = self._atlas
        assert atlas is not None  # nothing is placed without one
        heads = [(atlas.starts[item.key], atlas.means[item.key], at) for item, at in splats]
        sorted_ = order(heads, None if view.orthographic else NEAR)
        target = self._targets.get(view.width, view.height)
        shader = self._splat_shader()
        with target.frame.bind():
            target.frame.clear(color=(0.0, 0.0, 0.0, 0.0))
            gpu.state.blend_set("ALPHA_PREMULT")
            gpu.state.depth_test_set("NONE")
            gpu.state.depth_mask_set(False)
            if len(sorted_.indices):
                table = _table(atlas, splats)
                # Named, because a texture without a reference is freed before it is drawn.
                indices, heads_table = upload(pack_order(sorted_.indices), 1), upload(table, 4)
                shader.bind()
                shader.uniform_float(
                    "region", (view.width, view.height, float(view.orthographic), len(table))
                )
                shader.uniform_float("lens", view.lens)
                shader.uniform_float("limits", (0, 0, 0, 0) if view.orthographic else view.clamp)
                span = sorted_.far - sorted_.near
                shader.uniform_float("depths", (sorted_.near, 1 / span, POINT_RADIUS * pixel, 0))
                shader.uniform_sampler("shapes", atlas.shapes)
                shader.uniform_sampler("sh", atlas.sh)
                shader.uniform_sampler("order", indices)
                shader.uniform_sampler("heads", heads_table)
                self._quad_batch().draw_instanced(
                    shader, instance_start=0, instance_count=len(sorted_.indices)
                )
        return target, sorted_

    def release(self) -> None:
        self.update(())
        self._splat = self._show = self._quad = None

    def _placed(self, view: View, items: Sequence[Item]) -> list[tuple[Item, Placed]]:
        """Items with their place before the camera, in the order of the atlas, as the shader needs
        it."""
        starts = self._atlas.starts if self._atlas else {}
        known = sorted((i for i in items if i.key in starts), key=lambda item: starts[item.key])
        pairs = [(item, place(view, item.world)) for item in known]
        return [(item, at) for item, at in pairs if at is not None]

    def _composite(self, view: View, target: Target, depths: Order, test: str) -> None:
        """Draw the target over the region. test: the depth test."""
        shader = self._show_shader()
        gpu.state.blend_set("ALPHA_PREMULT")
        gpu.state.depth_test_set(test)
        gpu.state.depth_mask_set(False)
        shader.bind()
        shader.uniform_float("depths", (depths.near, depths.far - depths.near, 0, 0))
        shader.uniform_float("planes", tuple(map(float, view.projmat[2:, 2:].ravel())))
        shader.uniform_sampler("colour", target.colour)
        shader.uniform_sampler("depth", target.depth)
        self._quad_batch().draw(shader)

    def _splat_shader(self) -> gpu.types.GPUShader:
        self._splat = self._splat or shaders.splat_shader()
        return self._splat

    def _show_shader(self) -> gpu.types.GPUShader:
        self._show = self._show or shaders.show_shader()
        return self._show

    def _quad_batch(self) -> gpu.types.GPUBatch:
        if self._quad is None:
            layout = gpu.types.GPUVertFormat()
            layout.attr_add(id="corner", comp_type="F32", len=2, fetch_mode="FLOAT")
            vertices = gpu.types.GPUVertBuf(layout, 4)
            vertices.attr_fill("corner", [(-1, -1), (1, -1), (-1, 1), (1, 1)])
            self._quad = gpu.types.GPUBatch(type="TRI_STRIP", buf=vertices)
        return self._quad


def _table(atlas: Atlas, splats: Sequence[tuple[Item, Placed]]) -> Float32:
    """(heads, HEAD_TEXELS, 4), the table `heads` of shaders.splat_shader."""
    table = np.zeros((len(splats), shaders.HEAD_TEXELS, 4), np.float32)
    for row, (item, at) in zip(table, splats, strict=True):
        row[:3] = at.matrix
        row[3] = (*at.eye, at.scale)
        row[4] = (
            atlas.starts[item.key],
            item.sh_degree,
            MODES[item.mode],
            item.motion_range / DECIMETRE,
        )
    return table


@contextmanager
def _state_restored() -> Iterator[None]:
    """Restores blending, depth test and depth mask, also after an exception."""
    blend = gpu.state.blend_get()
    test = gpu.state.depth_test_get()
    mask = gpu.state.depth_mask_get()
    try:
        yield
    finally:
        gpu.state.blend_set(blend)
        gpu.state.depth_test_set(test)
        gpu.state.depth_mask_set(mask)
