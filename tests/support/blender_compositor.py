"""Compositor trees of any supported Blender, and what they give, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from tests.support.blender import read_pixels


def compositor(scene: Any) -> tuple[Any, Any]:
    """An empty tree that the scene uses, and the node whose first input is the result."""
    if bpy.app.version < (5, 0):
        scene.use_nodes = True
        tree = scene.node_tree
        tree.nodes.clear()
        return tree, tree.nodes.new("CompositorNodeComposite")
    tree = bpy.data.node_groups.new("test", "CompositorNodeTree")
    tree.interface.new_socket(name="Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    if hasattr(scene, "compositor_effects"):
        scene.compositor_effects.new("test").node_group = tree
    else:
        scene.compositing_node_group = tree
    return tree, tree.nodes.new("NodeGroupOutput")


def render_float(scene: Any, path: Path) -> NDArray[np.float32]:
    """(H, W, 4) float32 of a still, first row on top, as the compositor made it."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_depth, settings.color_mode = "OPEN_EXR", "32", "RGBA"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return read_pixels(path)


def passes_of(
    path: Path, scene: Any, size: tuple[int, int], folder: Path
) -> dict[str, NDArray[np.float32]]:
    """Name -> (H, W, 4) of every pass of an image file, through Blender's compositor. size: of the
    file, width and height, which Blender does not say of a file with layers."""
    image = bpy.data.images.load(str(path), check_existing=False)
    tree, output = compositor(scene)
    node = tree.nodes.new("CompositorNodeImage")
    node.image = image
    scene.render.resolution_x, scene.render.resolution_y = size
    scene.render.engine = "BLENDER_WORKBENCH"  # draws nothing here, quickly
    if scene.camera is None:
        scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
        scene.collection.objects.link(scene.camera)
    found = {}
    for socket in node.outputs:
        if socket.enabled:
            tree.links.new(socket, output.inputs[0])
            found[socket.name] = render_float(scene, folder / f"{socket.name}.exr")
    return found
