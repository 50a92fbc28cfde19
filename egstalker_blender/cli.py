"""One bake from the command line: `blender --command egstalker ...` and batch.py share it.

It performs the steps of the user interface (import, link a strip, bake) in the open scene, or in an
empty one at 25 frames per second whose first frame is 1. Exit codes: 0 every frame was written,
1 failed, 2 bad input (one line on stderr says which), 130 stopped by the user.
"""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import bpy

from ..core.avatar.file import load_avatar
from ..core.bake.plan import FIRST_FRAME, check_measured, parse_size
from ..core.commands.arguments import add_bake, add_json
from ..core.commands.console import STOPPED, Console
from ..core.errors import ArgumentError, EgsError
from ..core.records.shutter import Shutter
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


def build_parser(prog: str = COMMAND) -> argparse.ArgumentParser:
    parser = Parser(
        prog=prog,
        description="Bake a talking head to pictures, in the open .blend or in an empty scene.",
        epilog="Exit codes: 0 every frame written, 1 failed, 2 bad input, 130 stopped. "
        f"Without --worker-python, {preferences.WORKER_PYTHON_VARIABLE} names the worker's Python.",
    )
    add = parser.add_argument
    add("--avatar", type=Path, help="avatar file (.egs); default: the scene's active avatar")
    add(
        "--audio",
        type=Path,
        help="recording, placed as a strip at the scene's first frame; or its features (.npy), "
        "which start at frame 1; default: the sound that the scene's avatar is linked to",
    )
    add("--out", type=Path, required=True, help="folder for the frames")
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
    return parser


def run(args: argparse.Namespace, console: Console) -> None:
    """EgsError unless every frame was written."""
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
    if args.motion_blur:
        Shutter(args.motion_blur)  # ArgumentError for a number that the property would cut
        obj.egstalker.use_motion_blur = True
        obj.egstalker.motion_blur_samples = args.motion_blur
    settings = read_settings(scene, obj)
    if args.approximate:
        check_measured(load_avatar(settings.avatar_path))
        obj.egstalker.approximate = True
    if frames is not None or is_empty:
        settings = replace(settings, frames=frames)
    if size is not None:
        settings = replace(settings, size=size)
    if args.xmp is not None:
        settings = replace(settings, xmp=args.xmp)
    job = bake_job(context, obj, settings)
    engine = engines.engine_for(args.engine, preferences.python_path(args.worker_python))
    total, line, start = len(job.frames), engine.status().line(), time.monotonic()
    text = f"{total} frames by {line}"
    console.start("bake", text, path=job.directory, total=total, engine=line)
    with closing(bake_frames(engine, job)) as steps:
        for step in steps:
            if step.note:
                console.note(step.note)
            if step.number is not None:
                number = step.number
                console.progress(
                    "frames", step.done, total, frame=number, number=number, path=step.path
                )
    seconds = time.monotonic() - start
    line = engine.status().line()  # the worker may have been replaced meanwhile
    text = f"{total} frames in {job.directory}, {seconds:.1f} s by {line}"
    console.done(text, path=job.directory, frames=total, seconds=seconds, engine=line)


def main(argv: Sequence[str], prog: str = COMMAND) -> int:
    """Exit code. Closes the engine, so that nothing is left running."""
    console = Console("--json" in argv)
    try:
        with _interruptible():
            run(build_parser(prog).parse_args(argv), console)
        return 0
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


def register() -> None:
    if hasattr(bpy.utils, "register_cli_command"):
        _registered.append(bpy.utils.register_cli_command(COMMAND, main))


def unregister() -> None:
    while _registered:
        bpy.utils.unregister_cli_command(_registered.pop())
