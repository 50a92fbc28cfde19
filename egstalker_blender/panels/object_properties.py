"""Properties > Object of an avatar: everything that the object carries, with keyframes."""

from __future__ import annotations

from typing import Any

import bpy

from ..controls import presets
from ..properties import is_avatar
from . import approximate, controls, sections


class _Section:
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "object"

    @classmethod
    def poll(cls, context: Any) -> bool:
        return is_avatar(context.object)


class _Part(_Section):
    bl_parent_id = "EGSTALKER_PT_object"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        layout = self.layout  # type: ignore[attr-defined]
        layout.use_property_split = True
        self.draw_part(layout.column(), context, context.object)

    def draw_part(self, layout: Any, context: Any, obj: Any) -> None:
        raise NotImplementedError


class EGSTALKER_PT_object(_Section, bpy.types.Panel):
    bl_label = "Talking Head"

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        sections.draw_file(layout, context, context.object)
        sections.draw_status(layout, context, context.object)
        approximate.draw(layout, context, context.object)


class EGSTALKER_PT_object_sound(_Part, bpy.types.Panel):
    bl_label = "Sound"

    def draw_part(self, layout: Any, context: Any, obj: Any) -> None:
        sections.draw_sound(layout, context, obj)


class EGSTALKER_PT_object_eyes(_Part, bpy.types.Panel):
    bl_label = "Eyes"

    def draw_part(self, layout: Any, context: Any, obj: Any) -> None:
        controls.draw_eyes(layout, obj.egstalker)


class EGSTALKER_PT_object_head(_Part, bpy.types.Panel):
    bl_label = "Head"

    def draw_part(self, layout: Any, context: Any, obj: Any) -> None:
        controls.draw_head(layout, obj.egstalker)


class EGSTALKER_PT_object_look(_Part, bpy.types.Panel):
    bl_label = "Look"

    def draw_part(self, layout: Any, context: Any, obj: Any) -> None:
        presets.draw(layout, context)
        controls.draw_look(layout, obj.egstalker)


class EGSTALKER_PT_object_display(_Part, bpy.types.Panel):
    bl_label = "Display"

    def draw_part(self, layout: Any, context: Any, obj: Any) -> None:
        sections.draw_display(layout, obj)


class EGSTALKER_PT_object_bake(_Part, bpy.types.Panel):
    bl_label = "Bake"

    def draw_part(self, layout: Any, context: Any, obj: Any) -> None:
        layout.use_property_decorate = False  # a bake reads these once
        sections.draw_bake(layout, context, obj)
        sections.draw_bake_button(layout, context)


CLASSES = (
    EGSTALKER_PT_object,
    EGSTALKER_PT_object_sound,
    EGSTALKER_PT_object_eyes,
    EGSTALKER_PT_object_head,
    EGSTALKER_PT_object_look,
    EGSTALKER_PT_object_display,
    EGSTALKER_PT_object_bake,
)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
