"""Blender's presets for the controls of the active avatar: the user's own in the user's preset
folder, and a few that come with the extension."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bl_operators.presets import AddPresetBase

from ..properties import is_avatar

FOLDER = Path(__file__).resolve().parents[1]  # has a folder `presets`, which Blender searches, too
SUBFOLDER = "egstalker/controls"
# Without the sound's offset, the angles and the followed object, which belong to one scene.
NAMES = (
    *("eye_source", "eye_closure", "blink_seed", "blink_rate", "blink_duration"),
    *("pose_source", "nod", "pose_use_location"),
    *("strength", "mouth_gain", "opacity", "colour_gain"),
)


class EGSTALKER_MT_control_presets(bpy.types.Menu):
    bl_label = "Control Presets"
    preset_subdir = SUBFOLDER
    preset_operator = "script.execute_preset"
    draw = bpy.types.Menu.draw_preset


class EGSTALKER_OT_control_preset(AddPresetBase, bpy.types.Operator):
    bl_idname = "egstalker.control_preset"
    bl_label = "Control Preset"
    bl_description = "Save the avatar's controls as a preset, or remove the current preset"
    preset_menu = "EGSTALKER_MT_control_presets"
    preset_subdir = SUBFOLDER
    preset_defines = ["props = bpy.context.object.egstalker"]
    preset_values = [f"props.{name}" for name in NAMES]

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not is_avatar(context.object):
            cls.poll_message_set("Select an avatar; presets apply to the active object")
            return False
        return True

    def remove(self, context: Any, filepath: str) -> None:
        """Remove a preset of the user. Those in the extension's folder stay."""
        path = Path(filepath).resolve()
        if path.is_relative_to(FOLDER):
            self.report({"WARNING"}, f"{path.stem!r} belongs to the extension and stays")
        else:
            path.unlink()


def draw(layout: Any, context: Any) -> None:
    """Draw the row of presets, for panels with the active object's controls."""
    row = layout.row(align=True)
    row.enabled = is_avatar(context.object)
    menu, operator = EGSTALKER_MT_control_presets, EGSTALKER_OT_control_preset.bl_idname
    row.menu(menu.__name__, text=menu.bl_label)
    row.operator(operator, text="", icon="ADD")
    row.operator(operator, text="", icon="REMOVE").remove_active = True


CLASSES = (EGSTALKER_MT_control_presets, EGSTALKER_OT_control_preset)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def register() -> None:
    _register_classes()
    bpy.utils.register_preset_path(str(FOLDER))


def unregister() -> None:
    bpy.utils.unregister_preset_path(str(FOLDER))
    _unregister_classes()
