"""The sidebar of the 3D view: the workflow from an avatar file to baked frames."""

from __future__ import annotations

from typing import Any

import bpy

from .. import preferences
from ..avatars.demo import EGSTALKER_OT_add_talking_head
from ..avatars.importer import EGSTALKER_OT_import_avatar
from ..properties import active_avatar
from ..reasoned import NO_AVATAR
from . import approximate, sections
from .headers import Sidebar, SidebarPart
from .labels import draw_text, translated


class EGSTALKER_PT_avatar(Sidebar, bpy.types.Panel):
    bl_label = "Talking Head"

    def draw(self, context: Any) -> None:
        layout = self.layout
        col = layout.column(align=True)
        col.operator(EGSTALKER_OT_import_avatar.bl_idname, text="Import Avatar...", icon="IMPORT")
        col.operator(EGSTALKER_OT_add_talking_head.bl_idname, text="Add Demo Avatar", icon="ADD")
        obj = active_avatar(context)
        if obj is None:
            draw_text(layout, context, translated(NO_AVATAR), "INFO")
            return
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.label(text=obj.name, icon="USER", translate=False)
        sections.draw_file(layout, context, obj)
        layout.prop(obj.egstalker_display, "mode")
        sections.draw_status(layout, context, obj)
        approximate.draw(layout, context, obj)


class EGSTALKER_PT_sound(SidebarPart, bpy.types.Panel):
    bl_label = "Sound"

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        sections.draw_sound(layout, context, active_avatar(context))


class EGSTALKER_PT_bake(SidebarPart, bpy.types.Panel):
    bl_label = "Bake"
    bl_order = 100  # after everything that changes the head

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        sections.draw_bake(layout, context, active_avatar(context))
        settings = preferences.get()
        if settings:
            layout.prop(settings, "engine")
        sections.draw_bake_button(layout, context)
        sections.draw_video(layout, context, active_avatar(context))


CLASSES = (EGSTALKER_PT_avatar, EGSTALKER_PT_sound, EGSTALKER_PT_bake)
register, unregister = bpy.utils.register_classes_factory(CLASSES)
