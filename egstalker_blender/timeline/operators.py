"""The operator Clear Cache."""

from __future__ import annotations

from typing import Any

import bpy

from . import timer
from .store import store


class EGSTALKER_OT_clear_cache(bpy.types.Operator):
    bl_idname = "egstalker.clear_cache"
    bl_label = "Clear Cache"
    bl_description = "Delete all cached frames, in memory and on disk"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, _context: Any) -> bool:
        if not any(store.megabytes()):
            cls.poll_message_set("No frames are cached")
            return False
        return True

    def execute(self, _context: Any) -> set[str]:
        size = sum(store.megabytes())
        store.clear()
        timer.mark(frame=True)
        self.report({"INFO"}, f"{size:.0f} MB of cached frames deleted")
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory((EGSTALKER_OT_clear_cache,))
