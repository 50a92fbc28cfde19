"""The open scene, or the options of a command line, as a job bundle for a farm."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import bpy

from ...core.audio.features import counted
from ...core.avatar.file import load_avatar
from ...core.bake.plan import frames_of_sound
from ...core.commands.console import Console
from ...core.farm.frames import frames_text
from ...core.farm.openjd import FarmHead, FarmJob, write_bundle
from ..blocks import file_of
from ..gather import Settings, start_of
from ..placed import Placed
from ..requested import ready_heads, settings_of
from ..sound.voice import decoded_voice, voice_from

ROOT = Path(__file__).resolve().parents[2]
OWN_FILES = ("__init__.py", "blender_manifest.toml", "core/**/*", "egstalker_blender/**/*")


def write_farm_job(args: argparse.Namespace, console: Console, out: Path) -> int:
    """--write-farm-job: exit code 0. InputError, OutputError."""
    heads = ready_heads(bpy.context, args)
    settings = settings_of(bpy.context, args, heads, out)
    given = [path.absolute() if path else None for path in (args.avatar, args.audio)]
    several = len(heads) > 1 or bool(args.object)
    chosen = [*zip(heads, settings, strict=True)]
    job = job_of(chosen, out, args.chunk, args.engine, several, *given)
    folder = args.write_farm_job.absolute()
    write_bundle(folder, job)
    frames = ", ".join(head.frames for head in job.heads)
    console.done(f"{folder}: frames {frames}", path=folder, frames=frames)
    return 0


def job_of(
    chosen: list[tuple[Placed, Settings]],
    out: Path,
    chunk: int,
    engine: str,
    several: bool,
    avatar: Path | None = None,
    audio: Path | None = None,
) -> FarmJob:
    """chosen: each head with its settings. several: each head has a folder of its own in `out`.
    avatar, audio: not in the .blend, but given. InputError."""
    opened = bpy.data.filepath
    source = opened or avatar
    heads = [placed.obj for placed, _ in chosen]
    return FarmJob(
        name=f"EGSTalker {Path(source).stem}" if source else "EGSTalker",
        extension=ROOT,
        blend=Path(opened) if opened else None,
        avatar=avatar,
        audio=audio,
        out=out,
        heads=tuple(
            FarmHead(
                placed.name if several else "",
                frames_text(frame_numbers(settings)),
                _options(placed.obj, settings, engine),
            )
            for placed, settings in chosen
        ),
        inputs=(*_files(heads, audio), *extension_files()),
        chunk=chunk,
    )


def _options(obj: Any, settings: Settings, engine: str) -> tuple[str, ...]:
    """What batch.py does not read from the .blend in the same way."""
    words = ["--camera", settings.camera, "--format", settings.file_format, "--engine", engine]
    if settings.size:
        words += ["--size", "{}x{}".format(*settings.size)]
    if settings.shutter:
        words += ["--motion-blur", str(settings.shutter.samples)]
    words += ["--approximate"] * obj.egstalker.approximate + ["--no-xmp"] * (not settings.xmp)
    return tuple(words)


def frame_numbers(settings: Settings) -> tuple[int, ...]:
    """The frames that a bake with these settings writes. AudioError, AvatarFileError."""
    if settings.frames is not None:
        return settings.frames
    avatar = load_avatar(settings.avatar_path)
    voice = None if avatar.features is None else decoded_voice(voice_from(settings.voice))
    _, rows = counted(avatar, voice)
    first = round(start_of(avatar, settings.voice))
    return tuple(frames_of_sound(rows, settings.fps, first))


def _files(heads: list[Any], audio: Path | None) -> list[Path]:
    """The .blend, what it refers to, avatars and sounds."""
    found = [Path(path) for path in bpy.utils.blend_paths(absolute=True, packed=False)]
    found += [Path(bpy.data.filepath)] if bpy.data.filepath else []
    found += [file_of(obj.egstalker.avatar_block) for obj in heads]
    found += [audio.absolute()] if audio else []
    plain = [Path(os.path.normpath(path)) for path in found]  # without the .. of relative paths
    return [path for path in plain if path.is_file()]


def extension_files() -> list[Path]:
    """What a node needs of this extension."""
    found = [path for pattern in OWN_FILES for path in ROOT.glob(pattern) if path.is_file()]
    return [path for path in found if "__pycache__" not in path.parts]
