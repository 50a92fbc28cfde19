"""Where the node group *Talking Heads* stands in a scene's compositor, in each Blender.

Up to 4.5 a scene has a node tree; 5.0 to 5.2 a node group that it may share; from 5.3 on a stack of
effects, where the layer is an effect of its own. The user's nodes stay: the group goes between the
last of them and the output, and only that link is replaced.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

from . import layer_group
from .layer_group import KEY, NAME, VERSION

STACK = bpy.app.version >= (5, 3, 0)
SCENE_TREE = bpy.app.version < (5, 0, 0)
PASSES, TURNED_ON = "egstalker_passes", "egstalker_turned_on"  # of our node: what it changed


def node_of(scene: Any) -> Any:
    """The node of our group in the scene's compositor, None without one."""
    for tree, _ in _trees(scene):
        for node in tree.nodes:
            if node.type == "GROUP" and layer_group.is_ours(node.node_tree):
                return node
    return None


def group_of(scene: Any) -> Any:
    """Our group in the scene's compositor, None without one."""
    node = node_of(scene)
    return node.node_tree if node is not None else None


def is_on(scene: Any) -> bool:
    """True where a render shows the layer."""
    return node_of(scene) is not None and not off_because(scene)


def off_because(scene: Any) -> str:
    """Why the scene's layer is not in its renders; empty if it is."""
    if not scene.render.use_compositing:
        return "Compositing is off in Output Properties > Post Processing"
    for tree, enabled in _trees(scene):
        for node in tree.nodes:
            if node.type == "GROUP" and layer_group.is_ours(node.node_tree):
                if not enabled:
                    return "the compositor is disabled"
                return "its node is muted" if node.mute else ""
    return ""


def blocker(scene: Any) -> str:
    """Why the layer cannot be added; empty if it can."""
    if scene.library is not None:
        return "The scene is linked; make it local first"
    tree = None if STACK else _own_tree(scene)
    return "The compositor's node group is linked; make it local first" if _linked(tree) else ""


def attach(scene: Any) -> None:
    """Add the group and the depth passes that it needs. Call `blocker` first."""
    turned_on = SCENE_TREE and not scene.use_nodes
    tree, output = _tree_with_output(scene)
    node = tree.nodes.new("CompositorNodeGroup")
    node.node_tree, node.name, node.label = layer_group.shared_group(), NAME, NAME
    node[KEY], node[TURNED_ON] = VERSION, turned_on
    layers = _shown_layers(scene)
    node[PASSES] = "\n".join(layer.name for layer in layers if not layer.use_pass_z)
    node.width = 180
    node.location = output.location.x, output.location.y + 200
    end = output.inputs[0]
    first = _add_depth(scene, tree, node, layers)
    picture = end.links[0].from_socket if end.is_linked else first.outputs["Image"]
    tree.links.new(picture, node.inputs["Image"])
    tree.links.new(node.outputs[0], end)


def detach(scene: Any) -> None:
    """Remove what `attach` made, and put back what it changed."""
    node = node_of(scene)
    tree, group = node.id_data, node.node_tree
    for name in str(node.get(PASSES, "")).splitlines():
        if name in scene.view_layers:
            scene.view_layers[name].use_pass_z = False
    turned_on = bool(node.get(TURNED_ON))
    links = node.inputs["Image"].links
    picture, ends = (links[0].from_socket if links else None), [
        link.to_socket for link in node.outputs[0].links
    ]  # fmt: skip
    for end in ends:
        if picture is not None and KEY not in picture.node:
            tree.links.new(picture, end)
    for made in [node for node in tree.nodes if KEY in node]:
        tree.nodes.remove(made)
    if turned_on:
        scene.use_nodes = False
    if KEY in tree and not _others(tree):
        _remove_tree(scene, tree)
    layer_group.remove(group)


def _trees(scene: Any) -> Iterator[tuple[Any, bool]]:
    """The node trees of the scene's compositor, and whether a render runs each."""
    if STACK:
        for effect in scene.compositor_effects:
            if effect.node_group is not None:
                yield effect.node_group, effect.enable_for_render
    elif (tree := _own_tree(scene)) is not None:
        yield tree, not SCENE_TREE or scene.use_nodes


def _own_tree(scene: Any) -> Any:
    return scene.node_tree if SCENE_TREE else scene.compositing_node_group


def _shown_layers(scene: Any) -> list[Any]:
    """The view layers that the picture shows, at least one: those that the user's nodes read, or
    the first that is rendered. Meshes of other layers must not cut holes into the heads."""
    nodes = [node for tree, _ in _trees(scene) for node in tree.nodes if KEY not in node]
    read = {node.layer for node in nodes if node.type == "R_LAYERS" and node.scene == scene}
    rendered = [layer for layer in scene.view_layers if layer.use] or [scene.view_layers[0]]
    return [layer for layer in rendered if layer.name in read] or rendered[:1]


def _linked(tree: Any) -> bool:
    return tree is not None and tree.library is not None


def _tree_with_output(scene: Any) -> tuple[Any, Any]:
    """The tree that the group goes into, and its output node."""
    if SCENE_TREE:
        scene.use_nodes = True
        tree, kind = scene.node_tree, "CompositorNodeComposite"
    else:
        tree, kind = (None if STACK else _own_tree(scene)), "NodeGroupOutput"
    if tree is None:
        tree = _new_tree(scene)
    outputs = [node for node in tree.nodes if node.bl_idname == kind]
    for node in outputs:
        if SCENE_TREE or node.is_active_output:
            return tree, node
    output = outputs[0] if outputs else tree.nodes.new(kind)
    if not outputs:
        output[KEY], output.location = VERSION, (600, 0)
    return tree, output


def _new_tree(scene: Any) -> Any:
    tree = bpy.data.node_groups.new(NAME, "CompositorNodeTree")
    tree[KEY] = 0  # not a version of the shared group
    tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    if not STACK:
        scene.compositing_node_group = tree
        return tree
    tree.interface.new_socket("Image", in_out="INPUT", socket_type="NodeSocketColor")
    effect = scene.compositor_effects.new(NAME)
    effect.node_group, effect.enable_for_preview = tree, False
    given, output = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
    given[KEY] = output[KEY] = VERSION
    given.location, output.location = (0, 300), (600, 0)
    tree.links.new(given.outputs[0], output.inputs[0])
    return tree


def _remove_tree(scene: Any, tree: Any) -> None:
    if STACK:
        for effect in [e for e in scene.compositor_effects if e.node_group == tree]:
            scene.compositor_effects.remove(effect)
    elif not SCENE_TREE:
        scene.compositing_node_group = None
    if tree.users == 0:
        bpy.data.node_groups.remove(tree)


def _others(tree: Any) -> bool:
    return any(node.bl_idname not in ("NodeGroupInput", "NodeGroupOutput") for node in tree.nodes)


def _add_depth(scene: Any, tree: Any, node: Any, layers: list[Any]) -> Any:
    """Link the nearest depth of the view layers; returns the Render Layers node of the first."""
    first = nearest = None
    for row, layer in enumerate(layers):
        layer.use_pass_z = True
        source = tree.nodes.new("CompositorNodeRLayers")
        source.scene, source.layer, source[KEY] = scene, layer.name, VERSION
        source.location = node.location.x - 600, node.location.y - 400 * row
        depth = source.outputs["Depth"]
        if nearest is not None:
            least = tree.nodes.new("ShaderNodeMath")
            least.operation, least[KEY] = "MINIMUM", VERSION
            least.location = node.location.x - 250, node.location.y - 400 * row
            tree.links.new(nearest, least.inputs[0])
            tree.links.new(depth, least.inputs[1])
            depth = least.outputs[0]
        first, nearest = first or source, depth
    tree.links.new(nearest, node.inputs["Depth"])
    return first
