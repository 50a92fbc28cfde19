"""The files of a head, each named by a data-block of its own.

Blender rewrites the paths of its data-blocks in Save As, Make Paths Relative or Absolute, append
and Make Local, packs their files, and lists them for programs that pack a .blend for a farm (BAT,
Flamenco, Deadline). It knows nothing of paths in an add-on's properties. So the path of an avatar
or a sound stands in a data-block alone: a Volume, which accepts any file and reads it only where an
object shows it. `avatar_path` and `sound_file` of a head show and set the path of its data-block.

A packed file is used as it is in the .blend: it is written once into the extension's user folder,
under the SHA-256 of its content, because the engines read files. That folder is trimmed by age and
size.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import bpy
from bpy.app.handlers import persistent

from ..core.errors import ArgumentError, OutputError
from ..core.system.files import hash_of, write_atomic
from ..core.system.leftovers import temporary_folder
from ..core.system.trim import touch, trim
from . import handlers
from .folders import can_write, user_folder
from .paths import absolute

KEY = "egstalker_file"  # custom property of our data-blocks
UNPACKED = "unpacked"  # folder of the files of packed data-blocks
UNPACKED_BYTES = 2 << 30  # that files of earlier sessions may take
_UNPACKED_NAME = re.compile(r"[0-9a-f]{64}(\.\w{1,8})?")
BLOCKS = {"avatar_path": "avatar_block", "sound_file": "sound_block"}

_unpacked: dict[tuple[int, int], Path] = {}  # session_uid of the data-block, bytes -> file
_temporary: list[tempfile.TemporaryDirectory[str]] = []  # where the user folder is not writable


def getter(name: str) -> Callable[[Any], str]:
    """Reads the path of the data-block that property `name` points at; empty if there is none."""

    def get(props: Any) -> str:
        block = getattr(props, name)
        return str(block.filepath) if block else ""

    return get


def setter(name: str) -> Callable[[Any, str], None]:
    """Points property `name` at a data-block of that path. A data-block is never given another
    path, because other heads may use it."""

    def set_(props: Any, path: str) -> None:
        setattr(props, name, _block_of(path) if path else None)

    return set_


def file_of(block: Any) -> Path:
    """The file of a data-block, which may not exist; that of a packed one does. ArgumentError for
    none, or a path relative to a .blend that is not saved. OutputError where a packed file cannot
    be written."""
    if block is None:
        raise ArgumentError("no file is chosen; choose one")
    if block.packed_file is not None:
        return _unpack(block)
    return absolute(block.filepath, block)


def _block_of(path: str) -> Any:
    for block in bpy.data.volumes:
        if KEY in block and block.library is None and block.filepath == path:
            return block
    block = bpy.data.volumes.new(Path(path.replace("\\", "/")).name)
    block[KEY] = True
    block.filepath = path
    return block


def _unpack(block: Any) -> Path:
    packed = block.packed_file
    key = block.session_uid, packed.size
    known = _unpacked.get(key)
    if known is not None and known.is_file():
        return known
    data = bytes(packed.data)
    digest = sha256(data).hexdigest()
    suffix = re.fullmatch(r"\.\w{1,8}", Path(block.filepath).suffix)
    path = _folder() / f"{digest}{suffix[0] if suffix else ''}"
    if not path.is_file() or hash_of(path) != digest:
        write_atomic(path, [data])
    touch(path)
    _unpacked[key] = path
    trim(path.parent, _UNPACKED_NAME, set(_unpacked.values()), UNPACKED_BYTES)
    return path


def _folder() -> Path:
    try:
        folder = user_folder(UNPACKED)
        if can_write(folder):
            return folder
    except OutputError:
        pass
    if not _temporary:
        _temporary.append(temporary_folder())
    return Path(_temporary[0].name)


@persistent
def _forget(*_: Any) -> None:
    """A file may be packed again with other bytes."""
    _unpacked.clear()


@persistent
def _after_load(*_: Any) -> None:
    """Files of early versions have the paths in the properties themselves."""
    _forget()
    for obj in bpy.data.objects:
        if obj.library is None:
            for path, block in BLOCKS.items():
                stored = _stored(obj.egstalker, path)
                if stored and getattr(obj.egstalker, block) is None:
                    setattr(obj.egstalker, block, _block_of(stored))


def _stored(props: Any, name: str) -> str:
    """The text of a property before it got a getter. Since 5.0 Blender keeps it elsewhere."""
    read = getattr(props, "bl_system_properties_get", None)
    values = read() if read else props
    return str(values.get(name, "")) if values else ""


HANDLERS = (
    ("load_post", _after_load),
    ("undo_post", _forget),
    ("redo_post", _forget),
    ("save_post", _forget),
)


def register() -> None:
    handlers.add(HANDLERS)


def unregister() -> None:
    handlers.remove(HANDLERS)
    _forget()
    while _temporary:
        _temporary.pop().cleanup()
