"""Our entries in Blender's own menus: File > Import, Add, Render."""

from __future__ import annotations

from typing import Any

import bpy

from ..avatars.checkpoint import EGSTALKER_OT_import_checkpoint
from ..avatars.demo import EGSTALKER_OT_add_talking_head
from ..avatars.importer import EGSTALKER_OT_import_avatar
from ..bake import EGSTALKER_OT_bake
from ..film.operators import EGSTALKER_OT_bake_video


def _file_import(self: Any, _context: Any) -> None:
    self.layout.operator(EGSTALKER_OT_import_avatar.bl_idname, text="EGSTalker Avatar (.egs)")
    self.layout.operator(
        EGSTALKER_OT_import_checkpoint.bl_idname, text="EGSTalker Checkpoint (.ply)"
    )


def _add(self: Any, _context: Any) -> None:
    self.layout.separator()
    self.layout.operator(
        EGSTALKER_OT_add_talking_head.bl_idname, text="Talking Head", icon="OUTLINER_OB_SPEAKER"
    )


def _render(self: Any, _context: Any) -> None:
    self.layout.separator()
    # From a menu Blender takes what it last invoked; a bake in the window must not block it.
    self.layout.operator_context = "INVOKE_DEFAULT"
    self.layout.operator(
        EGSTALKER_OT_bake.bl_idname, text="Bake Talking Head", icon="RENDER_ANIMATION"
    )
    self.layout.operator(
        EGSTALKER_OT_bake_video.bl_idname, text="Bake Talking Head Video", icon="FILE_MOVIE"
    )


ENTRIES = (
    ("TOPBAR_MT_file_import", _file_import),
    ("VIEW3D_MT_add", _add),
    ("TOPBAR_MT_render", _render),
)


def register() -> None:
    for name, draw in ENTRIES:
        getattr(bpy.types, name).append(draw)


def unregister() -> None:
    for name, draw in reversed(ENTRIES):
        getattr(bpy.types, name).remove(draw)
