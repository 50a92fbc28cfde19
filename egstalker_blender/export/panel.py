"""The exporters in File > Export, and in the avatar's panels."""

from __future__ import annotations

from typing import Any

import bpy

from ..panels.headers import ObjectPart, SidebarPart
from .operators import EXPORTERS

PLACE = "TOPBAR_MT_file_export"


def _menu(self: Any, _context: Any) -> None:
    for exporter, text in EXPORTERS.items():
        self.layout.operator(exporter.bl_idname, text=f"Talking Head Splats, {text}")


def draw_export(layout: Any) -> None:
    col = layout.column(align=True)
    for exporter, text in EXPORTERS.items():
        col.operator(exporter.bl_idname, text=f"{text}...", icon="EXPORT")


class EGSTALKER_PT_export(SidebarPart, bpy.types.Panel):
    bl_label = "Export Splats"
    bl_order = 110  # after the bake
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, _context: Any) -> None:
        draw_export(self.layout)


class EGSTALKER_PT_object_export(ObjectPart, bpy.types.Panel):
    bl_label = "Export Splats"

    def draw_part(self, layout: Any, _context: Any, _obj: Any) -> None:
        draw_export(layout)


CLASSES = (EGSTALKER_PT_export, EGSTALKER_PT_object_export)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def register() -> None:
    _register_classes()
    getattr(bpy.types, PLACE).append(_menu)


def unregister() -> None:
    getattr(bpy.types, PLACE).remove(_menu)
    _unregister_classes()
