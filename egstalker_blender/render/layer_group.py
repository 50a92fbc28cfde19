"""The compositor's node group *Talking Heads* and its two images, colour and depth.

A handler fills the images while Blender renders and empties them afterwards. Nodes are never made
in a handler: that can crash a Blender whose compositor is at work.

    hidden = depth of the picture < depth of the heads, anti-aliased at the edges of meshes only
    result = heads * (1 - hidden) over the picture over heads * hidden
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ...core.images.layers import EMPTY
from ...core.records.arrays import Float32

NAME = "Talking Heads"
KEY = "egstalker_layer"  # property of all that the layer makes
VERSION = 1
COLOUR, DEPTH = "Talking Heads Color", "Talking Heads Depth"
SPACES = {COLOUR: "Linear Rec.709", DEPTH: "Non-Color"}
OLD_OVER = "Image", "Image_001"
FAR = EMPTY / 10  # no head is as far


def is_ours(group: Any) -> bool:
    return group is not None and KEY in group


def shared_group() -> Any:
    """The group of this file, made if there is none."""
    for group in bpy.data.node_groups:
        if group.get(KEY) == VERSION and group.library is None:
            return group
    group = bpy.data.node_groups.new(NAME, "CompositorNodeTree")
    group[KEY] = VERSION
    new = group.interface.new_socket
    new("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    new("Image", in_out="INPUT", socket_type="NodeSocketColor")
    new("Depth", in_out="INPUT", socket_type="NodeSocketFloat")
    _add_nodes(group)
    return group


def images_of(group: Any) -> tuple[Any, Any]:
    """Colour and depth."""
    colour, depth = (group.nodes[name].image for name in (COLOUR, DEPTH))
    return colour, depth


def write(group: Any, heads: Float32) -> None:
    """heads: (H, W, 6) as images.layers.stacked gives it, first row on top."""
    height, width = heads.shape[:2]
    depth = np.repeat(heads[..., 4:5], 4, axis=2)
    for image, values in zip(images_of(group), (heads[..., :4], depth), strict=True):
        if tuple(image.size) != (width, height):
            image.scale(width, height)
        image.pixels.foreach_set(np.ascontiguousarray(values[::-1], np.float32).reshape(-1))
        image.update()


def empty(group: Any) -> None:
    """Show no head, and do not ask the user to save the images."""
    for image in images_of(group):
        if image is not None and image.is_dirty:
            image.buffers_free()


def remove(group: Any) -> None:
    """Delete the group and its images, as far as nothing else uses them."""
    images = images_of(group)
    if group.users == 0:
        bpy.data.node_groups.remove(group)
        for image in images:
            if image is not None and image.users == 0:
                bpy.data.images.remove(image)


def _add_nodes(group: Any) -> None:
    new, link = group.nodes.new, group.links.new
    given, out = new("NodeGroupInput"), new("NodeGroupOutput")
    colour, depth = (_image_node(group, name) for name in (COLOUR, DEPTH))
    red = new("CompositorNodeSeparateColor")
    # Two masks, 1 and 0 where there is no head: at the outline of a head the one that does not
    # change there is taken, so that smoothing touches the edges of meshes alone.
    one, zero = new("CompositorNodeAntiAliasing"), new("CompositorNodeAntiAliasing")
    nearer, there, inside, change, smooth, seen = (new("ShaderNodeMath") for _ in range(6))
    for node, operation in (
        (nearer, "LESS_THAN"),
        (there, "LESS_THAN"),
        (inside, "MULTIPLY"),
        (change, "SUBTRACT"),
        (smooth, "MULTIPLY_ADD"),
        (seen, "SUBTRACT"),
    ):
        node.operation = operation
    there.inputs[1].default_value, seen.inputs[0].default_value = FAR, 1.0
    link(depth.outputs[0], red.inputs[0])
    link(given.outputs["Depth"], nearer.inputs[0])
    link(red.outputs[0], nearer.inputs[1])
    link(red.outputs[0], there.inputs[0])
    link(nearer.outputs[0], inside.inputs[0])
    link(there.outputs[0], inside.inputs[1])
    link(nearer.outputs[0], one.inputs[0])
    link(inside.outputs[0], zero.inputs[0])
    link(one.outputs[0], change.inputs[0])
    link(zero.outputs[0], change.inputs[1])
    for socket, source in zip(smooth.inputs, (nearer, change, zero), strict=True):
        link(source.outputs[0], socket)
    link(smooth.outputs[0], seen.inputs[1])
    heads, picture = colour.outputs["Image"], given.outputs["Image"]
    behind = _over(group, None, heads, smooth.outputs[0])
    middle = _over(group, behind.outputs[0], picture, None)
    front = _over(group, middle.outputs[0], heads, seen.outputs[0])
    link(front.outputs[0], out.inputs[0])
    columns = ((given, colour, depth), (red,), (nearer, there), (inside,), (one, zero), (change,),
               (smooth,), (seen,), (behind,), (middle,), (front,), (out,))  # fmt: skip
    for column, column_nodes in enumerate(columns):
        for row, node in enumerate(column_nodes):
            node.location = (200 * column, -300 * row)


def _image_node(group: Any, name: str) -> Any:
    image = bpy.data.images.new(name, 1, 1, alpha=True, float_buffer=True)
    image.colorspace_settings.name, image.alpha_mode = SPACES[name], "PREMUL"
    image.generated_color = (0, 0, 0, 0)
    image[KEY] = VERSION
    node = group.nodes.new("CompositorNodeImage")
    node.name = node.label = name
    node.image = image
    return node


def _over(group: Any, below: Any, above: Any, factor: Any) -> Any:
    """An Alpha Over node of premultiplied pictures; below: None for nothing. Blender 5.0 named its
    inputs anew and changed their order."""
    node = group.nodes.new("CompositorNodeAlphaOver")
    inputs = {socket.identifier: socket for socket in node.inputs}
    old = bpy.app.version < (5, 0)
    ground, figure = (inputs[n] for n in (OLD_OVER if old else ("Background", "Foreground")))
    if below is None:
        ground.default_value = (0, 0, 0, 0)
    else:
        group.links.new(below, ground)
    group.links.new(above, figure)
    if factor is not None:
        group.links.new(factor, inputs["Fac"])
    return node
