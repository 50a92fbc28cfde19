"""An avatar file becomes one object: its canonical points as a mesh that faces -Y, in metres."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import StringProperty
from bpy_extras.io_utils import ImportHelper

from ..core.avatar.file import SUFFIX, load_avatar
from ..core.avatar.record import Avatar
from ..core.errors import EgsError
from .camera import vertices_of

HASH_KEY = "egstalker_hash"


def import_avatar(context: Any, path: Path) -> Any:
    """A new object in the active collection, selected and active. Nothing is made where the file
    is bad (AvatarFileError)."""
    avatar = load_avatar(path)
    obj = bpy.data.objects.new(avatar.name, _mesh_of(avatar))
    obj.egstalker.avatar_path = _stored(path)
    obj.egstalker.content_hash = avatar.content_hash
    context.collection.objects.link(obj)
    for other in context.selected_objects:
        other.select_set(False)
    obj.select_set(True)
    context.view_layer.objects.active = obj
    return obj


def _mesh_of(avatar: Avatar) -> Any:
    """The mesh of that content, shared by every object of the same avatar."""
    count = len(avatar.gaussians)
    for mesh in bpy.data.meshes:
        if mesh.get(HASH_KEY) == avatar.content_hash and len(mesh.vertices) == count:
            return mesh
    mesh = bpy.data.meshes.new(avatar.name)
    mesh.vertices.add(count)
    mesh.vertices.foreach_set("co", vertices_of(avatar.gaussians.means).ravel())
    mesh.update()
    mesh[HASH_KEY] = avatar.content_hash
    return mesh


def _stored(path: Path) -> str:
    """Relative to the .blend where there is one (and both lie on one drive)."""
    absolute = str(path.resolve())
    if not bpy.data.filepath:
        return absolute
    try:
        return str(bpy.path.relpath(absolute))
    except ValueError:  # another drive
        return absolute


class EGSTALKER_OT_import_avatar(bpy.types.Operator, ImportHelper):
    bl_idname = "egstalker.import_avatar"
    bl_label = "Import EGSTalker Avatar"
    bl_description = "Make an object of an avatar file"
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = SUFFIX
    filter_glob: StringProperty(default=f"*{SUFFIX}", options={"HIDDEN"})

    def execute(self, context: Any) -> set[str]:
        path = Path(bpy.path.abspath(self.filepath))
        try:
            obj = import_avatar(context, path)
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"{obj.name}: {len(obj.data.vertices)} Gaussians")
        return {"FINISHED"}


def _menu_entry(self: Any, _context: Any) -> None:
    self.layout.operator(EGSTALKER_OT_import_avatar.bl_idname, text="EGSTalker Avatar (.egs)")


def register() -> None:
    bpy.utils.register_class(EGSTALKER_OT_import_avatar)
    bpy.types.TOPBAR_MT_file_import.append(_menu_entry)


def unregister() -> None:
    bpy.types.TOPBAR_MT_file_import.remove(_menu_entry)
    bpy.utils.unregister_class(EGSTALKER_OT_import_avatar)
