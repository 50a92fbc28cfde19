"""Write the talking head as Gaussian splats that other programs play: .usdc, .ply, .glb, .spz.

A .usdc file holds all frames. .ply files are numbered: head.ply becomes head0001.ply and so on;
frames that are there already with the same content are skipped. .glb and .spz hold the first frame.
The head is at the origin, y up (.ply: y down), in metres.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

from ..audio.features import counted
from ..avatar.file import load_avatar
from ..bake.backends import CHOICES
from ..bake.plan import check_measured, frames_of_sound, training_tasks
from ..engine.choose import open_engine
from ..errors import ArgumentError
from ..records.splat_job import SPLAT_FORMATS, STILLS, SplatJob, SplatTask, bytes_a_frame
from ..records.timeline import parse_frames
from ..splat_export.loop import export_splats
from .arguments import (
    add_approximate,
    add_avatar,
    add_backend,
    add_controls,
    add_engine,
    add_frames,
    add_json,
    add_splats,
    controls_of,
)
from .console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_avatar(parser)
    suffixes = ", ".join(f".{name}" for name in SPLAT_FORMATS)
    parser.add_argument("out", type=Path, metavar="OUT", help=f"file to write: {suffixes}")
    parser.add_argument(
        "--audio", type=Path, metavar="FILE", help="recording, or its features (.npy)"
    )
    add_frames(parser, "the whole sound")
    add_splats(parser)
    add_controls(parser)
    add_approximate(parser, "off")
    add_engine(parser)
    add_backend(parser, CHOICES)
    add_json(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    job, count = job_of(args)
    total = len(job.frames)
    size = total * bytes_a_frame(job.file_format, count, job.sh_degree)
    engine = open_engine(args.engine, Path(sys.executable), backend=args.backend)
    with (
        contextlib.closing(engine),
        contextlib.closing(export_splats(job, engine)) as frames,
    ):
        line = engine.status().line()
        text = f"{total} frames of {count} Gaussians, at most {size / 1e6:.1f} MB"
        console.start(
            "export-splats", text, path=job.path, total=total, gaussians=count, bytes=size,
            engine=line,
        )  # fmt: skip
        for step in frames:
            if step.note:
                console.note(step.note, done=step.done, total=total)
            if step.number is not None:
                console.progress("frames", step.done, total, frame=step.number, path=step.path)
        line = engine.status().line()
    paths = sorted({job.path_of(task) for task in job.frames})
    written = sum(path.stat().st_size for path in paths)
    text = f"{total} frames in {job.path.parent}, {written / 1e6:.1f} MB, {line}"
    console.done(text, path=job.path, frames=total, bytes=written, engine=line)
    return 0


def job_of(args: argparse.Namespace) -> tuple[SplatJob, int]:
    """(the job, how many Gaussians the avatar has)."""
    kind = args.out.suffix.lower().removeprefix(".")
    if kind not in SPLAT_FORMATS:
        suffixes = ", ".join(f".{name}" for name in SPLAT_FORMATS)
        raise ArgumentError(f"{args.out} must end in one of {suffixes}")
    avatar = load_avatar(args.avatar)
    if args.approximate:
        check_measured(avatar)
    voice, rows = counted(avatar, args.audio)
    chosen = parse_frames(args.frames) if args.frames else None
    every = chosen or frames_of_sound(rows, args.fps, offset=args.audio_offset)
    numbers = sorted(every)[:: args.step]
    if kind in STILLS:
        numbers = numbers[:1]
    tasks = training_tasks(avatar, numbers, **controls_of(args))
    job = SplatJob(
        avatar_path=args.avatar,
        avatar_hash=avatar.content_hash,
        voice=voice,
        frames=tuple(SplatTask(task.number, task.moment) for task in tasks),
        path=args.out,
        file_format=kind,
        sh_degree=args.sh_degree,
        fps=args.fps,
        name=avatar.name,
    )
    return job, avatar.splats
