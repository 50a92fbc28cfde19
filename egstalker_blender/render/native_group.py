"""The Geometry Nodes group that places a cloud of splats on an avatar's object, and its modifier.

The group keeps the object's own points, whose box can be selected, and adds the cloud as one
instance: an instance has a matrix, which takes the head's frame to the object's axes without
touching the harmonics.
"""

from __future__ import annotations

from typing import Any

import bpy
from mathutils import Matrix

from ..camera import HEAD_TO_OBJECT

NAME = "EGSTalker Splats"
KEY = "egstalker_splats"  # property of the group, which survives a rename, an append and a link
VERSION = 1


def shared_group() -> Any:
    """The group of this file, made if there is none."""
    for group in bpy.data.node_groups:
        if group.get(KEY) == VERSION and group.library is None:
            return group
    group = bpy.data.node_groups.new(NAME, "GeometryNodeTree")
    group[KEY] = VERSION
    group.is_modifier = True
    _add_sockets(group)
    _add_nodes(group)
    return group


def _add_sockets(group: Any) -> None:
    new = group.interface.new_socket
    new("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    new("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    new("Splats", in_out="INPUT", socket_type="NodeSocketObject")


def _add_nodes(group: Any) -> None:
    nodes, link = group.nodes, group.links.new
    given, out = nodes.new("NodeGroupInput"), nodes.new("NodeGroupOutput")
    cloud = nodes.new("GeometryNodeObjectInfo")
    instance, place = (
        nodes.new("GeometryNodeGeometryToInstance"),
        nodes.new("GeometryNodeTransform"),
    )
    join = nodes.new("GeometryNodeJoinGeometry")
    _, rotation, scale = Matrix(HEAD_TO_OBJECT.tolist()).decompose()
    place.inputs["Rotation"].default_value = rotation.to_euler()
    place.inputs["Scale"].default_value = scale
    link(given.outputs["Splats"], cloud.inputs["Object"])
    link(cloud.outputs["Geometry"], instance.inputs[0])
    link(instance.outputs[0], place.inputs["Geometry"])
    link(given.outputs["Geometry"], join.inputs[0])
    link(place.outputs[0], join.inputs[0])
    link(join.outputs[0], out.inputs[0])
    for column, node in enumerate((given, cloud, instance, place, join, out)):
        node.location = (200 * column, 0)


def modifier_of(obj: Any) -> Any:
    """The modifier of our group, None if there is none."""
    for modifier in obj.modifiers:
        if modifier.type == "NODES" and modifier.node_group and KEY in modifier.node_group:
            return modifier
    return None


def add_modifier(obj: Any, companion: Any) -> Any:
    """Show the splats of `companion`, an object with a cloud, on the avatar `obj`."""
    modifier = obj.modifiers.new(NAME, "NODES")
    modifier.node_group = shared_group()
    modifier.show_expanded = False
    set_companion(modifier, companion)
    return modifier


def companion_of(modifier: Any) -> Any:
    """The object whose splats the modifier shows, None if it was deleted."""
    return _input(modifier).value


def set_companion(modifier: Any, companion: Any) -> None:
    _input(modifier).value = companion
    modifier.id_data.update_tag()


def _input(modifier: Any) -> Any:
    for item in modifier.node_group.interface.items_tree:
        if item.item_type == "SOCKET" and item.socket_type == "NodeSocketObject":
            return getattr(modifier.properties.inputs, item.identifier)
    raise AttributeError(f"node group {modifier.node_group.name!r} has no object input")
