"""What the options of the command line ask of the open scene: heads, their sound, their jobs."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy

from ..core.avatar.file import load_avatar
from ..core.bake.plan import FIRST_FRAME, check_measured, parse_size
from ..core.errors import ArgumentError
from ..core.records.job import BakeJob
from ..core.records.shutter import Shutter
from ..core.records.timeline import parse_frames
from .avatars.importer import import_avatar
from .gather import Settings, bake_job, read_settings
from .missing import check_files
from .output import output_in
from .placed import Placed, named_places, places, rendered_places
from .properties import avatars_in
from .sound.link import link_file

EMPTY_FPS = 25


def is_empty() -> bool:
    """True if no .blend is open."""
    return not bpy.data.filepath


def ready_heads(context: Any, args: argparse.Namespace) -> list[Placed]:
    """The heads to bake, with their sound and the options as settings, which no one saves; at least
    one. InputError, also for files that are missing."""
    scene = context.scene
    if is_empty():
        scene.render.fps, scene.render.fps_base = EMPTY_FPS, 1.0
        scene.frame_start = FIRST_FRAME
    heads = chosen_heads(context, args)
    for option, what in (("splats", "writes one head"), ("video", "is a film of one head"),
                         ("audio", "is the voice of one head")):  # fmt: skip
        if getattr(args, option) and len(heads) > 1:
            raise ArgumentError(f"--{option} {what}; choose one with --object: {names_of(heads)}")
    if args.audio:
        link_file(scene, heads[0].obj, args.audio.absolute(), True, scene.frame_start)
    check_files(scene, [head.obj for head in heads])
    return heads


def chosen_heads(context: Any, args: argparse.Namespace) -> list[Placed]:
    """The heads to bake, at least one. ArgumentError where there is none."""
    if args.avatar and args.object:
        raise ArgumentError("--avatar adds a head and --object names one; give only one of them")
    if args.avatar:
        head = import_avatar(context, args.avatar.absolute())
        _apply(args, head)
        return [Placed(head)]
    scene = context.scene
    there = avatars_in(scene)
    for obj in there:
        _apply(args, obj)
    heads, unknown = named_places(scene, args.object)
    if unknown:
        raise ArgumentError(
            f"scene {scene.name!r} has no head {', '.join(map(repr, unknown))}; it has: "
            f"{names_of(_choice(scene))}"
        )
    if args.object:
        return heads
    heads = rendered_places(scene)
    if heads:
        return heads
    if there:
        raise ArgumentError(
            f"all heads of scene {scene.name!r} are disabled in renders; choose one with --object: "
            f"{names_of(_choice(scene))}"
        )
    raise ArgumentError(f"there is no avatar in scene {scene.name!r}; give --avatar FILE.egs")


def settings_of(
    context: Any, args: argparse.Namespace, heads: list[Placed], out: Path
) -> list[Settings]:
    """The settings of each head's bake into `out`. InputError."""
    frames = parse_frames(args.frames) if args.frames else None
    size = parse_size(args.size) if args.size else None
    found = []
    several = len(heads) > 1 or bool(args.object)
    for head in heads:
        settings = settings_in(out, context.scene, head, several)
        if args.approximate:
            check_measured(load_avatar(settings.avatar_path))
        if frames is not None or is_empty():
            settings = replace(settings, frames=frames)
        if size is not None:
            settings = replace(settings, size=size)
        if args.xmp is not None:
            settings = replace(settings, xmp=args.xmp)
        found.append(settings)
    return found


def settings_in(out: Path, scene: Any, head: Placed, several: bool) -> Settings:
    """Those of a bake into `out`; several: into a folder of its own. ArgumentError, AudioError."""
    output = output_in(out, scene, head.obj, several, head.instance)
    return read_settings(scene, head.obj, output, head.instance)


def jobs_of(
    context: Any, args: argparse.Namespace, heads: list[Placed], out: Path
) -> list[BakeJob]:
    """The job of each head. InputError."""
    return [
        bake_job(context, head.obj, settings)
        for head, settings in zip(heads, settings_of(context, args, heads, out), strict=True)
    ]


def _apply(args: argparse.Namespace, obj: Any) -> None:
    props = obj.egstalker
    props.camera_source, props.file_format = args.camera, args.format
    if args.motion_blur:
        Shutter(args.motion_blur)  # ArgumentError for a number that the property would cut
        props.use_motion_blur, props.motion_blur_samples = True, args.motion_blur
    if args.approximate:
        props.approximate = True


def _choice(scene: Any) -> list[Placed]:
    """The heads, each of which --object can name, and their instances where they have several."""
    instances = [placed for placed in places(scene) if placed.instance]
    return [*(Placed(obj) for obj in avatars_in(scene)), *instances]


def names_of(heads: list[Placed]) -> str:
    return ", ".join(repr(head.name) for head in heads) or "none"
