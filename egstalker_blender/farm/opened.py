"""Whether the .blend that the command line names is the one that is open.

Blender may go on with an empty scene where a .blend is missing or damaged, and it opens files of
newer versions without what it does not know. A farm must not bake either.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import bpy

from ...core.errors import ArgumentError
from ...core.farm.mapping import Rule, mapped, read_rules
from ...core.system.names import full_path
from ..blocks import KEY

SUFFIX = ".blend"


def check_opened(argv: Sequence[str] | None = None) -> None:
    """ArgumentError unless the .blend that Blender was started with is open, and is not newer than
    this Blender. argv: Blender's whole command line."""
    words = list(sys.argv if argv is None else argv)
    ends = [words.index(end) for end in ("--", "-c", "--command") if end in words]
    words = words[: min(ends, default=len(words))]
    named = [word for word in words if word.lower().endswith(SUFFIX)]
    opened = bpy.data.filepath
    if (named and not opened) or (opened and not Path(opened).is_file()):
        path = opened or named[-1]
        fault = "is damaged or newer" if Path(path).is_file() else "does not exist"
        raise ArgumentError(f"{path} could not be opened: it {fault}; check the path and the file")
    newer, mine = tuple(bpy.data.version[:2]), tuple(bpy.app.version[:2])
    if opened and newer > mine:
        raise ArgumentError(
            f"{opened} was saved by Blender {_version(newer)}, and this is {_version(mine)}, which "
            f"may lose parts of it; use Blender {_version(newer)}"
        )


def _version(numbers: Iterable[int]) -> str:
    return ".".join(map(str, numbers))


def map_paths(file: Path) -> None:
    """Apply the path mapping rules of a session to the files of the open .blend: avatars and sounds
    with full paths. ArgumentError."""
    rules = read_rules(file)
    for block in _blocks():
        if block.packed_file is None:
            _map(block, rules)


def _blocks() -> list[Any]:
    return [*(block for block in bpy.data.volumes if KEY in block), *bpy.data.sounds]


def _map(block: Any, rules: tuple[Rule, ...]) -> None:
    path = block.filepath
    if path.startswith("//") and not path.startswith("///"):  # relative to the .blend
        return  # Blender writes shares of a network with backslashes
    here = full_path(mapped(path, rules))
    if here != path:
        block.filepath = here
