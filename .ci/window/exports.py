"""A step of the safety session that exports splats from the file browser."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import bpy

from . import talking
from .driver import Session, Step, Wait, check

FRAMES = 8
FILE_SECONDS = 120.0
END_SECONDS = 180.0


def export_a_sequence_stop_it_and_go_on(session: Session) -> Wait:
    """The file browser's button starts it, Blender draws on, Esc keeps the finished files."""
    scene, folder = bpy.context.scene, session.out / "splats"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    bpy.context.preferences.view.filebrowser_display_type = "SCREEN"
    before = scene.frame_end
    scene.frame_start, scene.frame_end = 1, FRAMES
    yield from _begin(session, folder)
    yield from session.wait(lambda: len(_files(folder)) >= 2, FILE_SECONDS, "two files of splats")
    check(_is_exporting(session), "an export that still runs")
    yield from session.press_over("ESC")
    yield from session.wait(lambda: not _is_exporting(session), 10, "the end after Esc")
    kept = {path: path.stat().st_mtime_ns for path in _files(folder)}
    check(2 <= len(kept) < FRAMES, f"some of {FRAMES} files, not {len(kept)}")
    yield from _begin(session, folder)
    running = lambda: _is_exporting(session)  # noqa: E731
    yield from session.wait(lambda: not running(), END_SECONDS, "the end of the export")
    check(len(_files(folder)) == FRAMES, f"{FRAMES} files, not {len(_files(folder))}")
    again = [path.name for path, at in kept.items() if path.stat().st_mtime_ns != at]
    check(not again, f"finished files that stay, not {again} written again")
    others = [path.name for path in folder.iterdir() if path.suffix != ".ply"]
    check(not others, f"nothing but .ply files, not {others}")
    scene.frame_end = before
    yield from talking.wait_for_head(session)


def _begin(session: Session, folder: Path) -> Wait:
    path = str(folder / "head_.ply")
    session.call(bpy.ops.egstalker.export_ply, "INVOKE_DEFAULT", filepath=path, sh_degree=0)
    browser = lambda: _browsers(session)  # noqa: E731
    yield from session.wait(browser, 20, "a file browser")
    yield 2.0  # it lists the folder
    yield from session.press_over("RET", "FILE_BROWSER")
    yield from session.wait(lambda: not browser(), 20, "a file browser that closes")


def _browsers(session: Session) -> list[Any]:
    return [area for area in session.window.screen.areas if area.type == "FILE_BROWSER"]


def _is_exporting(session: Session) -> bool:
    running = session.window.modal_operators
    return any(operator.bl_idname == "EGSTALKER_OT_export_ply" for operator in running)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.ply"))


STEPS: tuple[Step, ...] = (export_a_sequence_stop_it_and_go_on,)
