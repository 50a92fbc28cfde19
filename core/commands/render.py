"""Bake an avatar that speaks a recording to image files."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Generator, Iterable
from pathlib import Path

from ..audio.features import counted
from ..avatar.file import load_avatar
from ..bake.backends import CHOICES
from ..bake.plan import (
    check_measured,
    frames_of_sound,
    parse_size,
    training_tasks,
)
from ..bake.resume import continued, unfinished
from ..engine.choose import open_engine
from ..engine.interface import Engine
from ..errors import ArgumentError
from ..records.job import BakeJob, Existing
from ..records.progress import Progress
from ..records.shutter import Shutter
from ..records.timeline import parse_frames
from .arguments import (
    add_avatar,
    add_backend,
    add_bake,
    add_controls,
    add_json,
    controls_of,
    existing_of,
)
from .console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_avatar(parser)
    add("--audio", type=Path, metavar="FILE", help="recording, or its features (.npy)")
    add("--out", type=Path, required=True, metavar="DIR", help="folder for the frames")
    add_bake(
        parser,
        frames="the whole sound",
        size="the training size",
        approximate="off",
        motion_blur="off",
        xmp="written",
    )
    add_controls(parser)
    add(
        "--shutter",
        type=float,
        default=0.5,
        metavar="FRAMES",
        help="how long the shutter is open for --motion-blur, around the frame (default: 0.5)",
    )
    add("--transparent", action="store_true", help="leave out background and torso")
    add_backend(parser, CHOICES)
    add_json(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    job, existing = job_of(args), existing_of(args)
    total = len(job.frames)
    engine = open_engine(args.engine, Path(sys.executable), backend=args.backend)
    frames = _frames(engine, job, existing)
    with contextlib.closing(engine), contextlib.closing(frames):
        line = engine.status().line()
        console.start("render", path=job.directory, total=total, engine=line)
        written = _shown(frames, console)
        line = engine.status().line()  # the worker may have been replaced meanwhile
    result = {"written": written, "total": total, "directory": job.directory, "engine": line}
    text = f"{written} of {total} frames in {job.directory}, {line}"
    if written < total:
        message = f"only {written} of {total} frames were written; run the command again"
        console.failed(message, 1, text, result=result)
        return 1
    console.done(text, path=job.directory, result=result)
    return 0


def job_of(args: argparse.Namespace) -> BakeJob:
    if args.camera == "scene":
        raise ArgumentError(
            "a scene needs Blender: use egstalker_blender/batch.py, or give --camera training"
        )
    chosen = parse_frames(args.frames) if args.frames else None
    size = parse_size(args.size) if args.size else None
    avatar = load_avatar(args.avatar)
    if args.approximate:
        check_measured(avatar)
    voice, rows = counted(avatar, args.audio)
    tasks = training_tasks(
        avatar,
        chosen or frames_of_sound(rows, args.fps, offset=args.audio_offset),
        **controls_of(args),
        size=size,
        shutter=Shutter(args.motion_blur, args.shutter) if args.motion_blur else None,
    )
    return BakeJob(
        avatar_path=args.avatar,
        avatar_hash=avatar.content_hash,
        voice=voice,
        frames=tasks,
        directory=args.out,
        file_format=args.format,
        background=not args.transparent,
        xmp=args.xmp is not False,
    )


def _frames(engine: Engine, job: BakeJob, existing: Existing) -> Generator[Progress, None, None]:
    """Bakes the frames that are not finished."""
    rest = yield from unfinished(job, existing)
    if rest is not None:
        done, total = len(job.frames) - len(rest.frames), len(job.frames)
        with contextlib.closing(engine.bake(rest)) as steps:
            yield from continued(steps, done, total)


def _shown(frames: Iterable[Progress], console: Console) -> int:
    """Number of frames written."""
    done = 0
    for progress in frames:
        done = progress.done
        if progress.note:
            console.note(progress.note, done=done, total=progress.total)
        if progress.number is not None:
            console.progress(
                "frames", done, progress.total, frame=progress.number, path=progress.path
            )
    return done
