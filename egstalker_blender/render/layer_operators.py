"""The operators that add the render layer to a scene and remove it."""

from __future__ import annotations

from typing import Any

import bpy

from ..properties import avatars_in
from ..reasoned import NO_AVATAR, Reasoned
from . import layer_tree, shadow


class EGSTALKER_OT_add_render_layer(Reasoned, bpy.types.Operator):
    bl_idname = "egstalker.add_render_layer"
    bl_label = "Add Render Layer"
    bl_description = (
        "Let F12 show the heads of this scene as a bake draws them: adds two images, compositor "
        "nodes that combine them with the picture by depth, and a shadow mesh for each head"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def reason(cls, context: Any) -> str:
        scene = context.scene
        if not avatars_in(scene):
            return NO_AVATAR
        if layer_tree.node_of(scene) is not None and not shadow.missing(scene):
            return "This scene has a render layer already"
        return layer_tree.blocker(scene)

    def execute(self, context: Any) -> set[str]:
        scene = context.scene
        if layer_tree.node_of(scene) is None:
            layer_tree.attach(scene)
        for obj in shadow.missing(scene):
            shadow.add(scene, obj)
        return {"FINISHED"}


class EGSTALKER_OT_remove_render_layer(Reasoned, bpy.types.Operator):
    bl_idname = "egstalker.remove_render_layer"
    bl_label = "Remove Render Layer"
    bl_description = "Remove the images, the compositor nodes and the shadow meshes of the heads"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def reason(cls, context: Any) -> str:
        if layer_tree.node_of(context.scene) is None:
            return "This scene has no render layer"
        return layer_tree.blocker(context.scene)

    def execute(self, context: Any) -> set[str]:
        layer_tree.detach(context.scene)
        for obj in shadow.of_scene(context.scene):
            shadow.remove(obj)
        return {"FINISHED"}


CLASSES = (EGSTALKER_OT_add_render_layer, EGSTALKER_OT_remove_render_layer)
register, unregister = bpy.utils.register_classes_factory(CLASSES)
