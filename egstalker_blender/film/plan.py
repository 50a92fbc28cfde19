"""Whether Blender makes films, which one is wanted, and where.

Imported when Blender starts; film.py only when a film is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ...core.errors import ArgumentError
from ...core.system.names import safe_name
from ..gather import Settings
from ..paths import absolute
from .encode import KINDS, film_path

NO_FFMPEG = "This Blender was built without FFmpeg, which encodes films; bake frames instead"


@dataclass(frozen=True)
class Plan:
    """path: of the film; its ending chooses MP4 or WebM. keep_frames: the pictures stay in the
    output folder; otherwise they are in a temporary folder and are deleted."""

    path: Path
    keep_frames: bool

    def __post_init__(self) -> None:
        if self.path.suffix.lower() not in KINDS:
            raise ArgumentError(f"{self.path} must end in {' or '.join(KINDS)}; name a film so")


def no_ffmpeg() -> str:
    """Why this Blender makes no films; empty if it does."""
    return "" if bpy.app.build_options.codec_ffmpeg else NO_FFMPEG


def plan_for(video: Path | None, keep_frames: bool) -> Plan | None:
    """The film of a command line, None where it wants none. ArgumentError."""
    if video is None:
        return None
    if reason := no_ffmpeg():
        raise ArgumentError(reason)
    return Plan(video.absolute(), keep_frames)


def chosen_path(settings: Settings, obj: Any) -> Path:
    """Where the object's settings want its film: DIRECTORY/OBJECT.KIND unless they name a file.
    ArgumentError."""
    props = obj.egstalker
    path = settings.directory / safe_name(settings.instance or obj.name)
    if props.video_path:
        path = absolute(props.video_path, obj)
    return film_path(path, props.video_format)
