"""Files dropped on the window. Blender asks which importer to use if several accept a file."""

from __future__ import annotations

from typing import Any

import bpy

from ...core.formats.splat_kinds import SUFFIXES
from .checkpoint import EGSTALKER_OT_import_checkpoint
from .importer import EGSTALKER_OT_import_avatar

AREAS = {"VIEW_3D", "OUTLINER"}


class _Drop:
    @classmethod
    def poll_drop(cls, context: Any) -> bool:
        return context.area is not None and context.area.type in AREAS


class EGSTALKER_FH_avatar(_Drop, bpy.types.FileHandler):
    bl_label = "EGSTalker Avatar"
    bl_import_operator = EGSTALKER_OT_import_avatar.bl_idname
    bl_file_extensions = ".egs"


class EGSTALKER_FH_checkpoint(_Drop, bpy.types.FileHandler):
    bl_label = "EGSTalker Checkpoint"
    bl_import_operator = EGSTALKER_OT_import_checkpoint.bl_idname
    bl_file_extensions = ";".join(SUFFIXES)


CLASSES = (EGSTALKER_FH_avatar, EGSTALKER_FH_checkpoint)
register, unregister = bpy.utils.register_classes_factory(CLASSES)
