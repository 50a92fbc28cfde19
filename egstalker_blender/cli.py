"""One bake from the command line: `blender --command egstalker ...` and batch.py share it.

It performs the steps of the user interface (import, link a strip, bake) in the open scene, or in an
empty one at 25 frames per second whose first frame is 1. Exit codes: 0 every frame was written,
1 failed, 2 bad input (one line on stderr says which), 130 stopped by the user.
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn

import bpy

from ..core.avatar.file import load_avatar
from ..core.commands.arguments import add_bake, add_json, add_splats, existing_of
from ..core.commands.console import STOPPED, Console
from ..core.commands.farm_options import add_farm, console_for
from ..core.errors import ArgumentError, EgsError
from ..core.records.job import BakeJob
from ..core.records.splat_job import SPLAT_FORMATS
from ..core.records.timeline import parse_frames
from ..core.system.machine import limited_threads
from . import engines, preferences
from .bake import bake_frames
from .export.gather import Choice, Ready, export_steps, read, scene_range
from .farm.check import run_check
from .farm.opened import check_opened, map_paths
from .farm.write import write_farm_job
from .film.film import film_of_job
from .film.plan import Plan, plan_for
from .jobs import second
from .placed import Placed
from .requested import is_empty, jobs_of, ready_heads

PROGRAM = "blender --command egstalker"  # as the help calls it


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ArgumentError(f"{message}; see --help")


def build_parser(prog: str = PROGRAM) -> argparse.ArgumentParser:
    parser = Parser(
        prog=prog,
        description="Bake a talking head to pictures, in the open .blend or in an empty scene.",
        epilog="Exit codes: 0 every frame written, 1 failed, 2 bad input, 130 stopped. "
        f"Without --worker-python, {preferences.WORKER_PYTHON_VARIABLE} names the worker's Python.",
    )
    add = parser.add_argument
    add(
        "--avatar",
        type=Path,
        help="avatar file (.egs), baked alone; default: the heads of the scene that are not "
        "disabled in renders",
    )
    add(
        "--object",
        action="append",
        default=[],
        metavar="NAME",
        help="head of the scene to bake, or object that instances one; may be given several times. "
        "With this option, or where the scene has several heads, each has a folder and file names "
        "of its own",
    )
    add(
        "--audio",
        type=Path,
        help="recording, placed as a strip at the scene's first frame; or its features (.npy), "
        "which start at frame 1; default: the sound that each head is linked to",
    )
    add(
        "--splats",
        type=Path,
        metavar="FILE",
        help="instead of pictures, write one head as Gaussian splats: .usdc (all frames), .ply (a "
        "numbered file for each), .glb or .spz (the first frame)",
    )
    add_splats(parser)
    add("--out", type=Path, help="folder for the frames; with --video they are kept there")
    add(
        "--video",
        type=Path,
        metavar="FILE",
        help="film of one head's frames and voice, by Blender's FFmpeg: .mp4, or .webm, which "
        "keeps transparency",
    )
    add_bake(
        parser,
        frames="the scene's, or the whole sound",
        size="the camera's own",
        approximate="the setting of the scene's avatar",
        motion_blur="the setting of the scene's avatar",
        xmp="the setting of the preferences",
    )
    add("--worker-python", default="", metavar="PYTHON", help="Python that runs the worker")
    add_json(parser)
    add_farm(parser)
    return parser


def run(args: argparse.Namespace, console: Console) -> int:
    """Exit code; EgsError unless every frame was written."""
    if bool(args.out or args.video) == bool(args.splats):
        raise ArgumentError("give --out DIR for pictures, --video FILE or --splats FILE")
    if (args.check or args.write_farm_job) and (args.video or args.splats):
        raise ArgumentError("--check and --write-farm-job are for pictures; give --out DIR alone")
    check_opened()
    if args.path_mapping:
        map_paths(args.path_mapping)
    if existing_of(args).resume and not args.out:
        raise ArgumentError("--skip-existing needs --out DIR, where the frames of a film are kept")
    plan = plan_for(args.video, keep_frames=bool(args.out))
    out = (args.out or args.splats or args.video.parent).absolute()
    if args.check:
        return run_check(args, console, out)
    if args.write_farm_job:
        return write_farm_job(args, console, out)
    context = bpy.context
    heads = ready_heads(context, args)
    if args.splats:
        frames = parse_frames(args.frames) if args.frames else None
        frames = frames if frames is not None or is_empty() else scene_range(context.scene)
        choice = _choice(args, out, frames)
        _export(args, console, read(context, heads[0].obj, choice, instance=heads[0].instance))
        return 0
    _bake(args, console, heads, jobs_of(context, args, heads, out), plan, out)
    return 0


def _bake(
    args: argparse.Namespace,
    console: Console,
    heads: list[Placed],
    jobs: list[BakeJob],
    plan: Plan | None,
    out: Path,
) -> None:
    existing = existing_of(args)
    engine = engines.engine_for(args.engine, preferences.python_path(args.worker_python))
    total, line, start = sum(len(job.frames) for job in jobs), engine.status().line(), monotonic()
    out = plan.path if plan else out
    console.start("bake", f"{total} frames by {line}", path=out, total=total, engine=line)
    before = 0
    for head, job in zip(heads, jobs, strict=True):
        named = {"object": head.name} if len(heads) > 1 else {}
        made = bake_frames(engine, job, existing)
        if plan:
            scene, avatar = bpy.context.scene, load_avatar(job.avatar_path)
            made = film_of_job(scene, head.obj, engine, job, avatar, plan, existing)
        with closing(made) as steps:
            for step in steps:
                if step.stage == "encoding":
                    console.progress("encoding", step.done, total, every=1.0)
                if step.note:
                    console.note(step.note, **named)
                if step.number is not None:
                    fields: dict[str, Any] = dict(named, frame=step.number, number=step.number)
                    console.progress("frames", before + step.done, total, path=step.path, **fields)
        before += len(job.frames)
    seconds = monotonic() - start
    line = engine.status().line()  # the worker may have been replaced meanwhile
    text = f"{total} frames in {out}, {seconds:.1f} s by {line}"
    console.done(text, path=out, frames=total, seconds=seconds, engine=line)


def _choice(args: argparse.Namespace, path: Path, frames: tuple[int, ...] | None) -> Choice:
    kind = path.suffix.lower().removeprefix(".")
    if kind not in SPLAT_FORMATS:
        suffixes = ", ".join(f".{name}" for name in SPLAT_FORMATS)
        raise ArgumentError(f"{path} must end in one of {suffixes}")
    frames = None if frames is None else tuple(sorted(frames))
    return Choice(path, kind, frames, args.sh_degree, args.step)


def _export(args: argparse.Namespace, console: Console, ready: Ready) -> None:
    engine = engines.engine_for(args.engine, preferences.python_path(args.worker_python))
    total, path, start = ready.total, ready.choice.path, monotonic()
    line = engine.status().line()
    console.start("export-splats", ready.size_line(), path=path, total=total, engine=line)
    with closing(export_steps(engine, ready)) as steps:
        for step in steps:
            if step.note:
                console.note(step.note)
            if step.number is not None:
                fields = {"frame": step.number, "number": step.number}
                console.progress("frames", step.done, step.total, path=step.path, **fields)
            total = step.total
    seconds, line = monotonic() - start, engine.status().line()
    text = f"{total} frames in {path.parent}, {seconds:.1f} s by {line}"
    console.done(text, path=path, frames=total, seconds=seconds, engine=line)


def main(argv: Sequence[str], prog: str = PROGRAM) -> int:
    """Exit code. Ends the engine and any second Blender, so that nothing is left running."""
    console = console_for(argv)
    try:
        with _interruptible():
            args = build_parser(prog).parse_args(argv)
            with limited_threads(args.threads):
                return run(args, console)
    except EgsError as error:
        console.failed(str(error), error.exit_code)
        return error.exit_code
    except BrokenPipeError:  # nobody reads the output any more
        return 1
    except KeyboardInterrupt:
        console.stopped("stopped; finished frames are kept")
        return STOPPED
    except SystemExit as ended:  # --help
        return int(ended.code or 0)
    finally:
        second.end_all()
        engines.close()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C and SIGTERM raise KeyboardInterrupt; Blender's own handlers would not."""
    try:
        signals = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, signal.default_int_handler) for number in signals]
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler or signal.SIG_DFL)
