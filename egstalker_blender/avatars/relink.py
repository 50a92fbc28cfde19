"""Avatar files that were moved or changed: found again by content, or accepted as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import bpy
from bpy.props import BoolProperty, StringProperty

from ...core.avatar.file import load_avatar
from ...core.avatar.search import Search, find_avatar
from ...core.errors import EgsError
from ...core.system.files import hash_of
from ..blocks import file_of
from ..paths import stored_path
from ..properties import active_avatar, is_avatar
from ..reasoned import LINKED, NO_AVATAR
from .demo import AVATAR
from .importer import mesh_of

State = Literal["ok", "missing", "changed"]
Stamp = tuple[str, int, int]

_hashes: dict[Stamp, str] = {}  # path, size, time of change -> hash; used at every redraw
KEPT_HASHES = 64


def state_of(obj: Any) -> State:
    """The state of the avatar file at the object's path, compared with the content that was
    imported. A file is read once after each change."""
    try:
        path = file_of(obj.egstalker.avatar_block)
        digest = _hash_once(path)
    except (EgsError, OSError):
        return "missing"
    return "ok" if digest == obj.egstalker.content_hash else "changed"


def _hash_once(path: Path) -> str:
    status = path.stat()
    stamp = (str(path), status.st_size, status.st_mtime_ns)
    if stamp not in _hashes:
        while len(_hashes) >= KEPT_HASHES:
            del _hashes[next(iter(_hashes))]
        _hashes[stamp] = hash_of(path)
    return _hashes[stamp]


def relink(obj: Any, folder: Path) -> tuple[Search, int]:
    """Look for the object's avatar under `folder`, then at the demo's file, and relink every
    editable object of the same content whose file is missing or changed. Returns the search and
    the number of relinked objects."""
    digest = obj.egstalker.content_hash
    search = find_avatar(folder, digest, Path(obj.egstalker.avatar_path).name)
    if search.found is None and _hash_once(AVATAR) == digest:
        search = Search(AVATAR, search.files, True)
    if search.found is None:
        return search, 0
    lost = [other for other in _editable(digest) if other == obj or state_of(other) != "ok"]
    for other in lost:
        other.egstalker.avatar_path = stored_path(search.found)
    return search, len(lost)


def accept(obj: Any) -> int:
    """Accept the file as it is now: update mesh and stored hash of every object that had the same
    content at the same path. Returns the number of objects. EgsError for a bad file."""
    path = file_of(obj.egstalker.avatar_block)
    avatar = load_avatar(path)
    count = 0
    for other in _editable(obj.egstalker.content_hash):
        if file_of(other.egstalker.avatar_block) == path:
            other.data = mesh_of(avatar)
            other.egstalker.content_hash = avatar.content_hash
            count += 1
    return count


def _editable(digest: str) -> list[Any]:
    return [
        obj
        for obj in bpy.data.objects
        if is_avatar(obj) and obj.library is None and obj.egstalker.content_hash == digest
    ]


def _poll(cls: Any, context: Any, wanted: State | None) -> bool:
    obj = active_avatar(context)
    if obj is None:
        cls.poll_message_set(NO_AVATAR)
        return False
    if obj.library is not None:
        cls.poll_message_set(LINKED)
        return False
    if wanted and state_of(obj) != wanted:
        cls.poll_message_set(
            "The avatar file has not changed since it was imported, or it is missing"
        )
        return False
    return True


class EGSTALKER_OT_find_avatar(bpy.types.Operator):
    bl_idname = "egstalker.find_avatar"
    bl_label = "Find Avatar File"
    bl_description = (
        "Search a folder and its subfolders for the file that was imported, even if it was renamed"
    )
    bl_options = {"REGISTER", "UNDO"}

    directory: StringProperty(
        name="Folder",
        description="Folder to search",
        subtype="DIR_PATH",
        options={"SKIP_SAVE"},
    )
    filter_folder: BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        return _poll(cls, context, None)

    def invoke(self, context: Any, _event: Any) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Any) -> set[str]:
        obj = active_avatar(context)
        folder = Path(bpy.path.abspath(self.directory)) if self.directory else Path()
        if not self.directory or not folder.is_dir():
            self.report({"ERROR"}, f"folder {self.directory!r} does not exist; choose another")
            return {"CANCELLED"}
        search, count = relink(obj, folder)
        if search.found is None:
            rest = (
                "" if search.complete else ", but the search hit its limit; choose a smaller folder"
            )
            self.report(
                {"ERROR"},
                f"{folder} has no file of this avatar; {search.files} .egs files were read{rest}",
            )
            return {"CANCELLED"}
        self.report({"INFO"}, f"Found {search.found}; relinked objects: {count}")
        return {"FINISHED"}


class EGSTALKER_OT_accept_avatar(bpy.types.Operator):
    bl_idname = "egstalker.accept_avatar"
    bl_label = "Accept Changed File"
    bl_description = (
        "Use the avatar file as it is now, although it has changed since it was imported"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        return _poll(cls, context, "changed")

    def execute(self, context: Any) -> set[str]:
        try:
            count = accept(active_avatar(context))
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Accepted the changed file; updated objects: {count}")
        return {"FINISHED"}


CLASSES = (EGSTALKER_OT_find_avatar, EGSTALKER_OT_accept_avatar)
register, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def unregister() -> None:
    _unregister_classes()
    _hashes.clear()
