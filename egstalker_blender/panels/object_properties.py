"""Properties > Object of an avatar: everything that the object carries, with keyframes."""

from __future__ import annotations

from typing import Any

import bpy

from ..controls import presets
from . import approximate, controls, sections
from .headers import ObjectPart, ObjectProperties


class EGSTALKER_PT_object(ObjectProperties, bpy.types.Panel):
    bl_label = "Talking Head"

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        sections.draw_file(layout, context, context.object)
        sections.draw_status(layout, context, context.object)
        approximate.draw(layout, context, context.object)


class EGSTALKER_PT_object_sound(ObjectPart, bpy.types.Panel):
    bl_label = "Sound"

    def draw_part(self, layout: Any, context: Any, obj: Any) -> None:
        sections.draw_sound(layout, context, obj)


class EGSTALKER_PT_object_eyes(ObjectPart, bpy.types.Panel):
    bl_label = "Eyes"

    def draw_part(self, layout: Any, context: Any, obj: Any) -> None:
        controls.draw_eyes(layout, obj.egstalker)


class EGSTALKER_PT_object_head(ObjectPart, bpy.types.Panel):
    bl_label = "Head"

    def draw_part(self, layout: Any, context: Any, obj: Any) -> None:
        controls.draw_head(layout, obj.egstalker)


class EGSTALKER_PT_object_landmarks(ObjectPart, bpy.types.Panel):
    bl_label = "Landmarks"

    def draw_part(self, layout: Any, context: Any, obj: Any) -> None:
        layout.use_property_decorate = False
        controls.draw_landmarks(layout, obj.egstalker)


class EGSTALKER_PT_object_look(ObjectPart, bpy.types.Panel):
    bl_label = "Look"

    def draw_part(self, layout: Any, context: Any, obj: Any) -> None:
        presets.draw(layout, context)
        controls.draw_look(layout, obj.egstalker)


class EGSTALKER_PT_object_display(ObjectPart, bpy.types.Panel):
    bl_label = "Display"

    def draw_part(self, layout: Any, context: Any, obj: Any) -> None:
        sections.draw_display(layout, obj)


class EGSTALKER_PT_object_bake(ObjectPart, bpy.types.Panel):
    bl_label = "Bake"

    def draw_part(self, layout: Any, context: Any, obj: Any) -> None:
        layout.use_property_decorate = False  # a bake reads these once
        sections.draw_bake(layout, context, obj)
        sections.draw_bake_button(layout, context)
        sections.draw_video(layout, context, obj)


CLASSES = (
    EGSTALKER_PT_object,
    EGSTALKER_PT_object_sound,
    EGSTALKER_PT_object_eyes,
    EGSTALKER_PT_object_head,
    EGSTALKER_PT_object_landmarks,
    EGSTALKER_PT_object_look,
    EGSTALKER_PT_object_display,
    EGSTALKER_PT_object_bake,
)
register, unregister = bpy.utils.register_classes_factory(CLASSES)
