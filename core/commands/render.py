"""Bake an avatar that speaks a sound to image files."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from ..audio.features import counted
from ..avatar.file import load_avatar
from ..avatar.motion import POSE_SOURCES
from ..bake.backends import CHOICES
from ..bake.plan import (
    check_measured,
    frames_of_sound,
    parse_size,
    training_tasks,
)
from ..engine.choose import KINDS, open_engine
from ..errors import ArgumentError
from ..records.job import FILE_FORMATS, BakeJob
from ..records.progress import Progress
from ..records.timeline import parse_frames


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("avatar", type=Path, metavar="AVATAR", help=".egs file")
    add("--audio", type=Path, metavar="FILE", help="sound, or its features as .npy")
    add("--out", type=Path, required=True, metavar="DIR", help="folder, made where it is missing")
    add("--frames", metavar="RANGE", help="1-100, 5 or 1-10,20; default: the whole sound")
    add("--size", metavar="WxH", help="default: the training size")
    add("--fps", type=float, default=25.0, help="frames a second (default 25)")
    add("--audio-offset", type=float, default=0.0, metavar="SECONDS", help="sound begins later")
    add("--pose", choices=POSE_SOURCES, default="track", help="head motion (default: track)")
    add("--strength", type=float, default=1.0, help="of the deformation (default 1)")
    add("--mouth-gain", type=float, default=1.0, help="of the voice: 0 silent (default 1)")
    add("--opacity", type=float, default=1.0, help="of the head (default 1)")
    add("--colour-gain", type=float, default=1.0, help="of the head's colours (default 1)")
    add(
        "--approximate",
        action="store_true",
        help="on a CPU: hold still what the voice hardly moves; `approximate` measures it first",
    )
    add("--camera", choices=("training", "scene"), default="training")
    add("--format", choices=FILE_FORMATS, default="png")
    add("--transparent", action="store_true", help="without background and torso")
    add("--engine", choices=KINDS, default="auto")
    add("--backend", choices=CHOICES, default="auto")
    add("--json", action="store_true", help="progress as JSON lines")


def run(args: argparse.Namespace) -> int:
    job = job_of(args)
    engine = open_engine(args.engine, Path(sys.executable), backend=args.backend)
    with contextlib.closing(engine), contextlib.closing(engine.bake(job)) as frames:
        show = _json_lines if args.json else _one_line
        done = show(frames)
        status = engine.status()
    if args.json:
        result = {"written": done, "total": len(job.frames), "directory": str(job.directory)}
        print(json.dumps({"result": {**result, "engine": status.line()}}))
    else:
        print(f"{done} of {len(job.frames)} frames in {job.directory}, {status.line()}")
    return 0 if done == len(job.frames) else 1


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
        fps=args.fps,
        offset=args.audio_offset,
        pose=args.pose,
        strength=args.strength,
        mouth_gain=args.mouth_gain,
        opacity=args.opacity,
        colour_gain=args.colour_gain,
        approximate=args.approximate,
        size=size,
    )
    return BakeJob(
        avatar_path=args.avatar,
        avatar_hash=avatar.content_hash,
        voice=voice,
        frames=tasks,
        directory=args.out,
        file_format=args.format,
        background=not args.transparent,
    )


def _json_lines(frames: Iterable[Progress]) -> int:
    done = 0
    for progress in frames:
        done = progress.done
        line: dict[str, object] = {"done": done, "total": progress.total}
        if progress.number is not None:
            line |= {"frame": progress.number, "path": str(progress.path)}
        elif progress.note:
            line["note"] = progress.note
        else:
            continue
        print(json.dumps(line), flush=True)
    return done


def _one_line(frames: Iterable[Progress]) -> int:
    done, live = 0, sys.stderr.isatty()
    for progress in frames:
        done = progress.done
        if progress.note:
            print(f"note: {progress.note}", file=sys.stderr)
        if live:
            print(f"\r{done}/{progress.total} frames", end="", file=sys.stderr, flush=True)
    if live:
        print(file=sys.stderr)
    return done
