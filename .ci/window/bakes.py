"""Steps of the safety session that bake."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import bpy

from . import files, talking
from .driver import Session, Wait, check

FRAMES = 12
START_SECONDS = 120.0  # until the first frames are there
END_SECONDS = 180.0


def _folder(session: Session) -> Path:
    return session.out / "bake"


def _is_baking(session: Session) -> bool:
    running = session.window.modal_operators
    return any(operator.bl_idname == "EGSTALKER_OT_bake" for operator in running)


def bake_while_playing_and_stop_by_esc(session: Session) -> Wait:
    folder = _folder(session)
    shutil.rmtree(folder, ignore_errors=True)
    talking.set_bake(talking.avatar(), folder, FRAMES)
    session.call(bpy.ops.screen.animation_play)
    talking.start_bake(session)
    yield from session.wait(lambda: len(talking.baked(folder)) >= 2, START_SECONDS, "two frames")
    session.call(bpy.ops.screen.animation_cancel, restore_frame=True)
    check(_is_baking(session), "a bake that still runs")
    yield from session.press_over("ESC")
    yield from session.wait(lambda: not _is_baking(session), 10, "the end of the bake after Esc")
    count = len(talking.baked(folder))
    check(2 <= count < FRAMES, f"some of {FRAMES} frames, not {count}")
    yield 1.0
    check(len(talking.baked(folder)) == count, "no frame written after Esc")


def bake_again_to_the_end(session: Session) -> Wait:
    folder = _folder(session)
    talking.start_bake(session)
    yield from session.wait(lambda: not _is_baking(session), END_SECONDS, "the end of the bake")
    count = len(talking.baked(folder))
    check(count == FRAMES, f"{FRAMES} frames, not {count}")
    _check_whole(folder)
    engine = session.module("egstalker_blender.engines").status_line()
    wanted = "worker" if os.environ.get("EGSTALKER_WORKER_PYTHON") else "builtin"
    check(engine.startswith(wanted), f"the {wanted} engine, not {engine}")


def open_a_file_during_a_bake(session: Session) -> Wait:
    folder = _folder(session)
    shutil.rmtree(folder)
    talking.start_bake(session)
    yield from session.wait(lambda: talking.baked(folder), START_SECONDS, "the first frame")
    yield from files.open_the_saved_file_again(session)
    check(not _is_baking(session), "no bake in the opened file")
    _check_whole(folder)


def quit_during_a_bake(session: Session) -> Wait:
    folder = _folder(session)
    shutil.rmtree(folder, ignore_errors=True)
    talking.set_bake(talking.avatar(), folder, 1000)
    talking.start_bake(session)
    yield from session.wait(lambda: talking.baked(folder), START_SECONDS, "the first frame")


def _check_whole(folder: Path) -> None:
    """Each file is a complete PNG."""
    parts = [path.name for path in folder.iterdir() if path.suffix != ".png"]
    check(not parts, f"only pictures in the folder, not {parts}")
    for path in talking.baked(folder):
        check(path.read_bytes()[-8:-4] == b"IEND", f"a whole picture {path.name}")
