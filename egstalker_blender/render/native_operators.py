"""The operators that give an avatar to Blender's own render and take it out again."""

from __future__ import annotations

from typing import Any

import bpy

from ..properties import active_avatar
from ..reasoned import NO_AVATAR, Reasoned
from . import native


class EGSTALKER_OT_make_renderable(Reasoned, bpy.types.Operator):
    bl_idname = "egstalker.make_renderable"
    bl_label = "Make Renderable"
    bl_description = (
        "Let Blender's own renderers draw the head: F12 shows it among the meshes of the scene"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def reason(cls, context: Any) -> str:
        if not native.SUPPORTED:
            return native.TOO_OLD
        obj = active_avatar(context)
        if obj is None:
            return NO_AVATAR
        if native.cloud_of(obj) is not None:
            return "Blender renders this head already"
        return _not_editable(obj)

    def execute(self, context: Any) -> set[str]:
        native.attach(active_avatar(context))
        return {"FINISHED"}


class EGSTALKER_OT_remove_renderable(Reasoned, bpy.types.Operator):
    bl_idname = "egstalker.remove_renderable"
    bl_label = "Remove from Renders"
    bl_description = "Take the head out of Blender's own renders; bakes stay possible"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def reason(cls, context: Any) -> str:
        obj = active_avatar(context)
        has = obj is not None and native.cloud_of(obj) is not None
        return _not_editable(obj) if has else "Blender does not render this head"

    def execute(self, context: Any) -> set[str]:
        native.detach(active_avatar(context))
        return {"FINISHED"}


def _not_editable(obj: Any) -> str:
    return "This object is linked; make it local first" if obj.library is not None else ""


CLASSES = (EGSTALKER_OT_make_renderable, EGSTALKER_OT_remove_renderable)
register, unregister = bpy.utils.register_classes_factory(CLASSES)
