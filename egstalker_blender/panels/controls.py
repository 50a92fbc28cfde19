"""The sidebar's panels for the controls (head, eyes, look) and for the landmarks."""

from __future__ import annotations

from typing import Any

import bpy

from ..controls import presets
from ..landmarks.operators import EGSTALKER_OT_landmark_empties
from ..properties import active_avatar
from .headers import SidebarPart


def draw_eyes(col: Any, props: Any) -> None:
    col.prop(props, "eye_source")
    if props.eye_source == "MANUAL":
        col.prop(props, "eye_closure")
    elif props.eye_source == "BLINK":
        for name in ("blink_rate", "blink_duration", "blink_seed"):
            col.prop(props, name)


def draw_head(col: Any, props: Any) -> None:
    col.prop(props, "pose_source")
    if props.pose_source == "keys":
        for name in ("yaw", "pitch", "roll", "nod"):
            col.prop(props, name)
    elif props.pose_source == "object":
        col.prop(props, "pose_object")
        target = props.pose_object
        if target is not None and target.pose is not None:
            col.prop_search(props, "pose_bone", target.pose, "bones")
            if props.pose_bone and props.pose_bone not in target.pose.bones:
                col.label(text="No such bone; the head follows the armature", icon="ERROR")
        if props.pose_object is None:
            col.label(text="Choose an object; until then the head is still", icon="INFO")
        col.prop(props, "pose_use_location")


def draw_landmarks(col: Any, props: Any) -> None:
    col.prop(props, "landmarks")
    col.operator(EGSTALKER_OT_landmark_empties.bl_idname, icon="EMPTY_ARROWS")


def draw_look(col: Any, props: Any) -> None:
    for name in ("strength", "mouth_gain", "opacity", "colour_gain"):
        col.prop(props, name)


class EGSTALKER_PT_controls(SidebarPart, bpy.types.Panel):
    bl_label = "Controls"

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        props = active_avatar(context).egstalker
        presets.draw(layout, context)
        for draw in (draw_look, draw_eyes, draw_head):
            draw(layout.column(), props)


class EGSTALKER_PT_landmarks(SidebarPart, bpy.types.Panel):
    bl_label = "Landmarks"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        draw_landmarks(layout.column(), active_avatar(context).egstalker)


CLASSES = (EGSTALKER_PT_controls, EGSTALKER_PT_landmarks)
register, unregister = bpy.utils.register_classes_factory(CLASSES)
