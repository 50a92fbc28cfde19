"""Imports an avatar file as one object: its canonical points as a mesh that faces -Y, in metres."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import bpy
from bpy.props import CollectionProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ...core.avatar.file import SUFFIX, load_avatar
from ...core.errors import ArgumentError, EgsError
from ...core.records.avatar import Avatar
from ...core.system.names import printable
from ..camera import vertices_of
from ..paths import stored_path
from ..render import native

HASH_KEY = "egstalker_hash"
FROM_DROP = {"HIDDEN", "SKIP_SAVE"}  # what a file handler sets; never remembered


def import_avatar(context: Any, path: Path) -> Any:
    """A new object in the active collection, selected and active. A bad file raises AvatarFileError
    and leaves nothing behind."""
    avatar, stored = load_avatar(path), stored_path(path)
    obj = bpy.data.objects.new(printable(avatar.name), mesh_of(avatar))
    obj.display_type = "BOUNDS"  # as points the mesh would hide the splats; a box can be clicked on
    obj.egstalker.avatar_path = stored
    obj.egstalker.content_hash = avatar.content_hash
    if native.SUPPORTED:
        native.attach(obj)
    context.collection.objects.link(obj)
    for other in context.selected_objects:
        other.select_set(False)
    obj.select_set(True)
    context.view_layer.objects.active = obj
    return obj


def mesh_of(avatar: Avatar) -> Any:
    """The mesh of that content, shared by every object of the same avatar."""
    count = avatar.splats
    for mesh in bpy.data.meshes:
        if mesh.get(HASH_KEY) == avatar.content_hash and len(mesh.vertices) == count:
            return mesh
    mesh = bpy.data.meshes.new(printable(avatar.name))
    mesh.vertices.add(count)
    mesh.vertices.foreach_set("co", vertices_of(avatar.whole().means).ravel())
    mesh.update()
    mesh[HASH_KEY] = avatar.content_hash
    return mesh


def chosen_paths(operator: Any) -> list[Path]:
    """The paths from the file browser, a drop or a script. ArgumentError if there is none."""
    folder = Path(bpy.path.abspath(operator.directory)) if operator.directory else None
    names = [file.name for file in operator.files if file.name]
    if folder and names:
        return [folder / name for name in names]
    if operator.filepath:
        return [Path(bpy.path.abspath(operator.filepath))]
    raise ArgumentError("no file is chosen; choose one")


def import_each(paths: Sequence[Path], one: Callable[[Path], Any]) -> tuple[list[Any], list[str]]:
    """The results of `one`, and one line for each path that failed."""
    made, faults = [], []
    for path in paths:
        try:
            made.append(one(path))
        except EgsError as error:
            faults.append(str(error))
    return made, faults


class ImportFiles(ImportHelper):
    """Mixin of an importer: one file, or several in a folder; chosen, dropped or from a script."""

    filepath: StringProperty(
        name="File", description="File to import", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )
    directory: StringProperty(
        name="Folder", description="Folder of the files", subtype="DIR_PATH", options=FROM_DROP
    )
    files: CollectionProperty(
        name="Files",
        description="Names of several files in that folder",
        type=bpy.types.OperatorFileListElement,
        options=FROM_DROP,
    )

    def invoke(self, context: Any, event: Any) -> set[str]:
        if self.filepath or self.files:  # dropped on the window
            return self.execute(context)
        return ImportHelper.invoke(self, context, event)


class EGSTALKER_OT_import_avatar(ImportFiles, bpy.types.Operator):
    bl_idname = "egstalker.import_avatar"
    bl_label = "Import EGSTalker Avatar"
    bl_description = "Import each avatar file as an object"
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = SUFFIX
    filter_glob: StringProperty(default=f"*{SUFFIX}", options={"HIDDEN"})

    def execute(self, context: Any) -> set[str]:
        try:
            paths = chosen_paths(self)
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        made, faults = import_each(paths, lambda path: import_avatar(context, path))
        for fault in faults:
            self.report({"WARNING" if made else "ERROR"}, fault)
        if not made:
            return {"CANCELLED"}
        count = sum(len(obj.data.vertices) for obj in made)
        what = made[0].name if len(made) == 1 else f"{len(made)} avatars"
        self.report({"INFO"}, f"{what}: {count} Gaussians")
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory((EGSTALKER_OT_import_avatar,))
