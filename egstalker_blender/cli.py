"""One bake from the command line: `blender --command egstalker ...` and batch.py share it.

It takes the steps of the user interface (import, link a strip, bake) in the scene that is open, or
in an empty one at 25 frames a second, first frame 1. Exit codes: 0 every frame was written,
1 failed, 2 bad input (one line on stderr says which), 130 stopped by the user.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import bpy

from ..core.avatar.file import load_avatar
from ..core.bake.plan import FIRST_FRAME, check_measured, parse_size
from ..core.errors import ArgumentError, EgsError
from ..core.records.job import FILE_FORMATS
from ..core.records.timeline import parse_frames
from . import engines, preferences
from .avatars.importer import import_avatar
from .bake import bake_frames
from .gather import bake_job, read_settings
from .properties import active_avatar
from .sound.link import link_file

COMMAND = "egstalker"
EMPTY_FPS = 25

_registered: list[Any] = []


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ArgumentError(f"{message}; see --help")


class Report:
    """Progress for people, or as JSON lines for programs."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def __call__(self, event: str, text: str, **values: Any) -> None:
        line = json.dumps({"event": event, **values}) if self._as_json else text
        if line:
            print(line, flush=True)


def build_parser(prog: str = COMMAND) -> argparse.ArgumentParser:
    parser = Parser(
        prog=prog,
        description="Bake a talking head to pictures, in the open .blend or in an empty scene.",
        epilog="Exit codes: 0 every frame written, 1 failed, 2 bad input, 130 stopped. "
        f"Without --worker-python, {preferences.WORKER_PYTHON_VARIABLE} names the worker's Python.",
    )
    parser.add_argument("--avatar", type=Path, help="avatar file; default: the scene's own avatar")
    parser.add_argument(
        "--audio",
        type=Path,
        help="sound, placed as a strip at the scene's first frame; or features (.npy), which start "
        "at frame 1; default: the sound that the scene's avatar is linked to",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the frames")
    parser.add_argument("--frames", help="such as 1-100; default: the scene's, or the whole sound")
    parser.add_argument("--size", help="WxH in pixels; default: the camera's own")
    parser.add_argument("--engine", choices=("auto", "builtin", "worker"), default="auto")
    parser.add_argument(
        "--approximate",
        action="store_true",
        help="hold still what the voice hardly moves; default: as the scene's avatar says",
    )
    parser.add_argument("--camera", choices=("training", "scene"), default="training")
    parser.add_argument("--format", choices=FILE_FORMATS, default="png")
    parser.add_argument(
        "--worker-python", default="", metavar="PYTHON", help="worker's interpreter"
    )
    parser.add_argument("--json", action="store_true", help="progress as JSON lines on stdout")
    return parser


def run(args: argparse.Namespace, report: Report) -> None:
    """Raises EgsError where not every frame was written."""
    context = bpy.context
    scene = context.scene
    is_empty = not bpy.data.filepath
    if is_empty:
        scene.render.fps, scene.render.fps_base = EMPTY_FPS, 1.0
        scene.frame_start = FIRST_FRAME
    frames = parse_frames(args.frames) if args.frames else None
    size = parse_size(args.size) if args.size else None
    obj = import_avatar(context, args.avatar.absolute()) if args.avatar else active_avatar(context)
    if obj is None:
        raise ArgumentError("there is no avatar in the scene; give --avatar FILE.egs")
    if args.audio:
        link_file(scene, obj, args.audio.absolute(), True, scene.frame_start)
    obj.egstalker.camera_source = args.camera
    obj.egstalker.file_format = args.format
    obj.egstalker.output_path = str(args.out.absolute())
    settings = read_settings(scene, obj)
    if args.approximate:
        check_measured(load_avatar(settings.avatar_path))
        obj.egstalker.approximate = True
    if frames is not None or is_empty:
        settings = replace(settings, frames=frames)
    if size is not None:
        settings = replace(settings, size=size)
    job = bake_job(context, obj, settings)
    engine = engines.engine_for(args.engine, preferences.python_path(args.worker_python))
    total, line, start = len(job.frames), engine.status().line(), time.monotonic()
    report("start", f"{total} frames by {line}", total=total, engine=line)
    with closing(bake_frames(engine, job)) as steps:
        for step in steps:
            if step.number is not None:
                values = {"number": step.number, "path": str(step.path), "done": step.done}
                report("frame", f"{step.done}/{total} {step.path}", total=total, **values)
    seconds = time.monotonic() - start
    line = engine.status().line()  # the worker may have fallen back meanwhile
    report("done", f"done in {seconds:.1f} s by {line}", frames=total, seconds=seconds, engine=line)


def main(argv: Sequence[str], prog: str = COMMAND) -> int:
    """Exit code. Closes the engine, so that nothing is left running."""
    report = Report("--json" in argv)
    try:
        with _interruptible():
            run(build_parser(prog).parse_args(argv), report)
        return 0
    except EgsError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        report("error", "", message=str(error), code=error.exit_code)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped; finished frames are kept", file=sys.stderr, flush=True)
        report("stopped", "", code=130)
        return 130
    except SystemExit as ended:  # --help
        return int(ended.code or 0)
    finally:
        engines.close()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl C and a polite kill raise KeyboardInterrupt; Blender's own handlers would not."""
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


def register() -> None:
    if hasattr(bpy.utils, "register_cli_command"):
        _registered.append(bpy.utils.register_cli_command(COMMAND, main))


def unregister() -> None:
    while _registered:
        bpy.utils.unregister_cli_command(_registered.pop())
