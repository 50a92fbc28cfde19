"""The checkpoint that a dropped file of splats belongs to, and the file name of its avatar."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..avatar.file import SUFFIX
from ..errors import OutputError
from ..formats.splat_kinds import PICTURES
from ..system.files import hash_of, reason
from ..system.names import safe_name

WEIGHTS = "deformation.pth"
CLOUD = "point_cloud"
MAX_COPIES = 1000


@dataclass(frozen=True)
class Source:
    """path: the source for `importing.import_avatar`, an iteration folder or a still's file. name:
    of the avatar. needs: the package that reads it and Blender lacks, or empty."""

    path: Path
    name: str
    needs: str


def source_of(ply: Path) -> Source:
    """The checkpoint of a `point_cloud.ply` whose folder has a deformation.pth, named like the
    training's output folder; any other file is a still head."""
    ply = ply.absolute()
    folder = ply.parent
    if ply.suffix.lower() != ".ply" or not (folder / WEIGHTS).is_file():
        return Source(ply, ply.stem, "pillow" if ply.suffix.lower() in PICTURES else "")
    root = folder.parent.parent if folder.parent.name == CLOUD else folder
    return Source(folder, root.name or folder.name, "torch")


def file_name(name: str) -> str:
    """A plain file name for an avatar of that name, on every system."""
    return f"{safe_name(name)}{SUFFIX}"


def place(part: Path, folder: Path, name: str) -> Path:
    """Rename the finished file `part` in `folder` to `name`, with a number if that name is taken by
    other content. If a file with the same content exists, it is kept and `part` is removed.
    OutputError if that fails."""
    digest = hash_of(part)
    wanted = folder / name
    try:
        for number in range(MAX_COPIES):
            target = wanted.with_stem(f"{wanted.stem}.{number:03d}") if number else wanted
            if not target.exists():
                os.replace(part, target)
                return target
            if target.is_file() and hash_of(target) == digest:
                part.unlink()
                return target
    except OSError as error:
        raise OutputError(f"{wanted} cannot be written: {reason(error)}") from None
    raise OutputError(f"{folder} contains {MAX_COPIES} files named {wanted.stem}; remove some")
