"""The shaders, compiled by Blender from one source for OpenGL, Vulkan and Metal.

Projection and blending follow core/render/reference.py (docs/method.md §3.11).
"""

from __future__ import annotations

import gpu

from ...core.render import sh
from ...core.render.rasteriser import DILATION, MAX_ALPHA, MIN_ALPHA, NEAR
from . import glsl
from .atlas import ORDER_WIDTH, PER_ROW, SH_TEXELS, SHAPE_TEXELS
from .display import MODES

HEAD_TEXELS = 5  # of each head in the table `heads`
DISPLAY_GAMMA = 2.2  # of Blender's viewport, for every view transform

DEFINES = {
    "PER_ROW": PER_ROW,
    "SHAPE_TEXELS": SHAPE_TEXELS,
    "SH_TEXELS": SH_TEXELS,
    "ORDER_WIDTH": ORDER_WIDTH,
    "POINTS": MODES["POINTS"],
    "MOTION": MODES["MOTION"],
    "NEAR": f"{NEAR!r}",
    "DILATION": f"{DILATION!r}",
    "MAX_ALPHA": f"{MAX_ALPHA!r}",
    "MIN_ALPHA": f"{MIN_ALPHA!r}",
    "SH_C0": f"{sh.C0!r}",
    "SH_C1": f"{sh.C1!r}",
    **{f"SH_C2{k}": f"{value!r}" for k, value in enumerate(sh.C2)},
    **{f"SH_C3{k}": f"{value!r}" for k, value in enumerate(sh.C3)},
    "DISPLAY_GAMMA": f"{DISPLAY_GAMMA!r}",
}


def splat_shader() -> gpu.types.GPUShader:
    """Draws instanced quads into two targets: premultiplied sRGB-encoded colour, depth times alpha.

    region: width, height, orthographic, number of heads. lens: fx, fy, cx, cy. limits: View.clamp.
    depths: nearest, 1 / range (metres), radius of a point (pixels). Samplers: see atlas.py; a row
    of `heads` has HEAD_TEXELS texels: the 3 rows of Placed.matrix; eye and scale; start, degree,
    mode, full motion (decimetres).
    """
    outlet = gpu.types.GPUStageInterfaceInfo("egstalker_splat")
    outlet.smooth("VEC2", "splat_local")
    outlet.flat("VEC4", "splat_colour")
    outlet.flat("VEC2", "splat_depth")
    info = _info(("region", "lens", "limits", "depths"), ("shapes", "sh", "order", "heads"))
    info.vertex_out(outlet)
    info.fragment_out(0, "VEC4", "out_colour")
    info.fragment_out(1, "VEC4", "out_depth")
    info.vertex_source(glsl.SPLAT_VERTEX)
    info.fragment_source(glsl.SPLAT_FRAGMENT)
    return gpu.shader.create_from_info(info)


def show_shader() -> gpu.types.GPUShader:
    """Draws one quad over the region: display-linear colour at the depth of the head.

    depths: nearest, range (metres). planes: [2, 2], [2, 3], [3, 2], [3, 3] of the projection.
    """
    info = _info(("depths", "planes"), ("colour", "depth"))
    info.fragment_out(0, "VEC4", "out_colour")
    info.depth_write("ANY")
    info.vertex_source(glsl.SHOW_VERTEX)
    info.fragment_source(glsl.SHOW_FRAGMENT)
    return gpu.shader.create_from_info(info)


def _info(constants: tuple[str, ...], samplers: tuple[str, ...]) -> gpu.types.GPUShaderCreateInfo:
    info = gpu.types.GPUShaderCreateInfo()
    for name, value in DEFINES.items():
        info.define(name, str(value))
    for name in constants:
        info.push_constant("VEC4", name)
    for slot, name in enumerate(samplers):
        info.sampler(slot, "FLOAT_2D", name)
    info.vertex_in(0, "VEC2", "corner")
    return info
