"""The material *Talking Head*: the head's own colours, graded, and lit by the scene as far as the
user wants.

Without a material Blender shows a cloud's colours as they are. The attribute `radiance` holds them,
evaluated for the direction of view, so a material can change them. At its defaults this one changes
nothing.
"""

from __future__ import annotations

from typing import Any

import bpy

from ..properties import active_avatar
from ..reasoned import Reasoned
from . import native

NAME = "Talking Head"
KEY = "egstalker_material"  # property of the node group
VERSION = 1
SETTINGS = ("Gain", "Saturation", "Tint", "Relight")  # in the order of the panel


def add_material(data: Any) -> Any:
    """A new material in the first slot of the cloud."""
    material = bpy.data.materials.new(NAME)
    material.diffuse_color = (1, 1, 1, 1)  # Workbench multiplies the splats by it
    tree = material.node_tree
    tree.nodes.clear()
    node, out = tree.nodes.new("ShaderNodeGroup"), tree.nodes.new("ShaderNodeOutputMaterial")
    node.node_tree, node.name = shared_group(), NAME
    node.width, out.location = 200, (300, 0)
    tree.links.new(node.outputs[0], out.inputs["Surface"])
    data.materials.clear()
    data.materials.append(material)
    return material


def settings_of(material: Any) -> list[Any]:
    """The inputs of our node in that material, in the order of SETTINGS; empty without one."""
    tree = material.node_tree if material is not None else None
    for node in tree.nodes if tree else ():
        if node.type == "GROUP" and node.node_tree and KEY in node.node_tree:
            return [node.inputs[name] for name in SETTINGS if name in node.inputs]
    return []


def shared_group() -> Any:
    """The node group of this file, made if there is none."""
    for group in bpy.data.node_groups:
        if group.get(KEY) == VERSION and group.library is None:
            return group
    group = bpy.data.node_groups.new(NAME, "ShaderNodeTree")
    group[KEY] = VERSION
    _add_sockets(group)
    _add_nodes(group)
    return group


def _add_sockets(group: Any) -> None:
    def new(name: str, kind: str, value: Any, highest: float, description: str) -> None:
        socket = group.interface.new_socket(name, in_out="INPUT", socket_type=kind)
        socket.default_value, socket.description = value, description
        if kind == "NodeSocketFloat":
            socket.min_value, socket.max_value = 0.0, highest

    group.interface.new_socket("Shader", in_out="OUTPUT", socket_type="NodeSocketShader")
    number = "NodeSocketFloat"
    new("Gain", number, 1.0, 10.0, "Factor of the brightness; 1 as trained")
    new("Saturation", number, 1.0, 2.0, "0 gray, 1 as trained")
    new(
        "Tint",
        "NodeSocketColor",
        (1, 1, 1, 1),
        1.0,
        "Color that the head's colors are multiplied by",
    )
    new("Relight", number, 0.0, 1.0, "0 the light of the training video, 1 the lights of the scene")
    relight = group.interface.items_tree["Relight"]
    relight.subtype = "FACTOR"


def _add_nodes(group: Any) -> None:
    nodes, link = group.nodes, group.links.new
    given, out = nodes.new("NodeGroupInput"), nodes.new("NodeGroupOutput")
    radiance = nodes.new("ShaderNodeAttribute")
    radiance.attribute_name = "radiance"
    saturation, tint = nodes.new("ShaderNodeHueSaturation"), nodes.new("ShaderNodeMix")
    tint.data_type, tint.blend_type = "RGBA", "MULTIPLY"
    tint.clamp_result = False
    tint.inputs["Factor"].default_value = 1.0
    gain = nodes.new("ShaderNodeVectorMath")
    gain.operation = "SCALE"
    own, lit = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeBsdfDiffuse")
    mix = nodes.new("ShaderNodeMixShader")
    first, second = (socket for socket in tint.inputs if socket.type == "RGBA")
    link(radiance.outputs["Color"], saturation.inputs["Color"])
    link(given.outputs["Saturation"], saturation.inputs["Saturation"])
    link(saturation.outputs[0], first)
    link(given.outputs["Tint"], second)
    link(next(socket for socket in tint.outputs if socket.type == "RGBA"), gain.inputs[0])
    link(given.outputs["Gain"], gain.inputs["Scale"])
    for shader in (own, lit):
        link(gain.outputs[0], shader.inputs["Color"])
    link(given.outputs["Relight"], mix.inputs[0])
    link(own.outputs[0], mix.inputs[1])
    link(lit.outputs[0], mix.inputs[2])
    link(mix.outputs[0], out.inputs[0])
    columns = ((given, radiance), (saturation,), (tint,), (gain,), (own, lit), (mix,), (out,))
    for column, column_nodes in enumerate(columns):
        for row, node in enumerate(column_nodes):
            node.location = (200 * column, -250 * row)


class EGSTALKER_OT_add_material(Reasoned, bpy.types.Operator):
    bl_idname = "egstalker.add_material"
    bl_label = "Add Material"
    bl_description = (
        "Grade the head's colors in Blender's renders, or let the scene's lights light it"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def reason(cls, context: Any) -> str:
        obj = active_avatar(context)
        data = native.cloud_of(obj) if obj is not None else None
        if data is None:
            return native.TOO_OLD if not native.SUPPORTED else "Make the head renderable first"
        if data.library is not None:
            return "The cloud is linked; make the avatar local first"
        return "The head has this material already" if settings_of(material_of(data)) else ""

    def execute(self, context: Any) -> set[str]:
        add_material(native.cloud_of(active_avatar(context)))
        return {"FINISHED"}


def material_of(data: Any) -> Any:
    """The material of a cloud, None without one."""
    return data.materials[0] if data.materials else None


register, unregister = bpy.utils.register_classes_factory((EGSTALKER_OT_add_material,))
