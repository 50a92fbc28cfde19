"""The bounding box of a head, drawn as lines."""

from __future__ import annotations

import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from mathutils import Matrix

from ...core.records.arrays import Float32, Float64
from ..camera import vertices_of
from .view import View

COLOUR = (0.9, 0.45, 0.05, 1.0)
LINE = 1.5  # pixels
# Pairs of corners that differ in one axis.
EDGES = tuple((a, a | bit) for a in range(8) for bit in (1, 2, 4) if not a & bit)


def corners(means: Float32) -> Float32:
    """(N, 3) head's frame -> (8, 3) in the object's local axes. Corner k is at the upper end of x,
    y, z where its bit 1, 2, 4 is set."""
    low, high = means.min(axis=0), means.max(axis=0)
    chosen = np.array([[(k >> axis) & 1 for axis in range(3)] for k in range(8)], bool)
    return vertices_of(np.where(chosen, high, low))


def draw_box(view: View, object_world: Float64, box: Float32) -> None:
    """Draw into the bound framebuffer with the current depth test. box: from `corners`. Changes
    blending and depth mask, which the caller restores. Lines are drawn as polygons, since not every
    backend draws wide lines."""
    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    batch = batch_for_shader(shader, "LINES", {"pos": box.tolist()}, indices=EDGES)
    gpu.state.blend_set("ALPHA")
    gpu.state.depth_mask_set(False)
    with gpu.matrix.push_pop(), gpu.matrix.push_pop_projection():
        gpu.matrix.load_matrix(Matrix((view.viewmat @ object_world).tolist()))
        gpu.matrix.load_projection_matrix(Matrix(view.projmat.tolist()))
        shader.bind()
        shader.uniform_float("color", COLOUR)
        shader.uniform_float("lineWidth", LINE)
        shader.uniform_float("viewportSize", (view.width, view.height))
        batch.draw(shader)
