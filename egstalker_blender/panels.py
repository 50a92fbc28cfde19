"""The sidebar of the 3D view: the workflow from an avatar file to baked frames."""

from __future__ import annotations

from typing import Any

import bpy

from . import engines, preferences
from .bake import EGSTALKER_OT_bake, blocker
from .importer import EGSTALKER_OT_import_avatar
from .link import EGSTALKER_OT_link_sound, EGSTALKER_OT_link_sound_file
from .properties import active_avatar
from .training_camera import EGSTALKER_OT_add_training_camera


class EGSTALKER_PT_avatar(bpy.types.Panel):
    bl_label = "Talking Head"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "EGSTalker"

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.operator(EGSTALKER_OT_import_avatar.bl_idname, icon="IMPORT")
        obj = active_avatar(context)
        if obj is None:
            layout.label(text="Select an avatar, or import one", icon="INFO")
            return
        props = obj.egstalker
        layout.use_property_split = True
        layout.label(text=obj.name, icon="USER")
        layout.prop(props, "avatar_path")
        col = layout.column()
        col.prop(props, "pose_source")
        col.prop(props, "strength")


class _Child:
    """Settings of the avatar that the parent panel names."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "EGSTalker"
    bl_parent_id = "EGSTALKER_PT_avatar"

    @classmethod
    def poll(cls, context: Any) -> bool:
        return active_avatar(context) is not None


class EGSTALKER_PT_sound(_Child, bpy.types.Panel):
    bl_label = "Sound"

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        props = active_avatar(context).egstalker
        layout.prop(props, "sound_source", expand=True)
        editor = context.scene.sequence_editor
        if props.sound_source == "FILE":
            layout.prop(props, "sound_file")
        elif editor:
            layout.prop_search(props, "sound_strip", editor, "strips")
        layout.prop(props, "audio_offset")
        row = layout.row(align=True)
        row.operator(EGSTALKER_OT_link_sound_file.bl_idname, text="Add Sound", icon="ADD")
        row.operator(EGSTALKER_OT_link_sound.bl_idname, text="Only Strip", icon="LINKED")


class EGSTALKER_PT_bake(_Child, bpy.types.Panel):
    bl_label = "Bake"

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        props = active_avatar(context).egstalker
        self._draw_camera(layout.column(), props)
        self._draw_files(layout.column(), props)
        settings = preferences.get()
        if settings:
            layout.prop(settings, "engine")
        layout.label(text=f"Engine: {engines.status_line()}")
        reason = blocker(context)
        if reason:
            layout.label(text=reason, icon="ERROR")
        layout.operator(EGSTALKER_OT_bake.bl_idname, icon="RENDER_ANIMATION")

    def _draw_camera(self, col: Any, props: Any) -> None:
        col.prop(props, "camera_source")
        row = col.row()
        row.enabled = props.camera_source == "training"
        row.prop(props, "use_plate")
        col.operator(EGSTALKER_OT_add_training_camera.bl_idname, icon="CAMERA_DATA")
        col.prop(props, "size_source")
        if props.size_source == "OWN":
            col.prop(props, "width")
            col.prop(props, "height")

    def _draw_files(self, col: Any, props: Any) -> None:
        col.prop(props, "range_source")
        if props.range_source == "OWN":
            col.prop(props, "frame_start")
            col.prop(props, "frame_end")
        col.prop(props, "file_format")
        col.prop(props, "output_path")
        col.prop(props, "file_stem")


CLASSES = (EGSTALKER_PT_avatar, EGSTALKER_PT_sound, EGSTALKER_PT_bake)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
