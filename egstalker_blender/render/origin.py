"""Renders that show a head declare themselves synthetic, as bakes do (core/images/xmp.py).

Blender writes the file; `render_write` comes right after it, and the packet is added then, to PNG
and JPEG. Blender names the file of a still and of a frame of an animation differently and does not
say which it wrote: it is the one that was written since the frame began.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
from bpy.app.handlers import persistent

from ...core.bake.origin import xmp_of_render
from ...core.errors import EgsError
from ...core.images.stamp import add_xmp
from ...core.records.avatar import Avatar
from .. import handlers, preferences

log = logging.getLogger(__name__)

COARSE = 2.0  # seconds by which some file systems round the time of a file


@dataclass
class Shown:
    """The frame that is rendered. began: as files have their time. avatars: by content hash."""

    began: float = 0.0
    avatars: dict[str, Avatar] = field(default_factory=dict)


_shown = Shown()


def saw(avatar: Avatar) -> None:
    """The frame that is being rendered shows this avatar."""
    _shown.avatars.setdefault(avatar.content_hash, avatar)


@persistent
def _on_pre(*_: Any) -> None:
    _shown.began = time.time()
    _shown.avatars.clear()


@persistent
def _on_write(scene: Any, *_: Any) -> None:
    if not _shown.avatars or scene.render.is_movie_format or not preferences.writes_xmp():
        return
    xmp = xmp_of_render(list(_shown.avatars.values()))
    for path in _written(scene):
        try:
            add_xmp(path, xmp)
        except EgsError as error:  # the picture itself is complete
            log.warning("%s does not declare itself synthetic: %s", path.name, error)


def _written(scene: Any) -> list[Path]:
    """The files that the frame may have been written to, of those that are new."""
    render = scene.render
    still = bpy.path.abspath(render.filepath)
    if render.use_file_extension:
        still = bpy.path.ensure_ext(still, render.file_extension)
    names = dict.fromkeys((still, render.frame_path(frame=scene.frame_current)))
    return [path for path in map(Path, names) if path.is_file() and _is_new(path)]


def _is_new(path: Path) -> bool:
    return path.stat().st_mtime >= _shown.began - COARSE


HANDLERS = (("render_pre", _on_pre), ("render_write", _on_write))


def register() -> None:
    handlers.add(HANDLERS)


def unregister() -> None:
    handlers.remove(HANDLERS)
