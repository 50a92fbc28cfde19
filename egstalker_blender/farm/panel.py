"""The farm's operators in the sidebar and in the properties of the object."""

from __future__ import annotations

from typing import Any

import bpy

from ..panels.headers import ObjectPart, SidebarPart
from .operators import EGSTALKER_OT_write_farm_job, EGSTALKER_OT_write_flamenco_job_type


def draw_farm(layout: Any) -> None:
    col = layout.column(align=True)
    # The three dots: a file browser opens.
    for operator in (EGSTALKER_OT_write_farm_job, EGSTALKER_OT_write_flamenco_job_type):
        col.operator(operator.bl_idname, text=f"{operator.bl_label}...", icon="EXPORT")


class EGSTALKER_PT_farm(SidebarPart, bpy.types.Panel):
    bl_label = "Render Farm"
    bl_order = 120  # after the exports
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, _context: Any) -> None:
        draw_farm(self.layout)


class EGSTALKER_PT_object_farm(ObjectPart, bpy.types.Panel):
    bl_label = "Render Farm"

    def draw_part(self, layout: Any, _context: Any, _obj: Any) -> None:
        draw_farm(layout)


CLASSES = (EGSTALKER_PT_farm, EGSTALKER_PT_object_farm)
register, unregister = bpy.utils.register_classes_factory(CLASSES)
