"""How a render without its head ends: loudly.

A picture with a frozen face, or with none, would not be noticed in a finished film. Where a frame
cannot be computed, a Blender without a window ends with the error's exit code, because raising in a
handler stops no render; in a window, which no script can stop, the head is left out and the error
shown. The empty file that *Placeholders* made for such a frame goes, so that a render without
*Overwrite* does not skip the frame later.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

import bpy

from ...core.errors import EgsError
from .. import engines
from ..bake import rendered_heads
from ..missing import check_files

log = logging.getLogger(__name__)

_failure = ""  # of the last render
_to_show = False
_frame = 0  # the one that is rendered; motion blur steps the scene to others


def failure() -> str:
    """Why the last render has no head, in one line; empty where it has."""
    return _failure


def reset() -> None:
    """A render begins, or another file was opened."""
    global _failure, _to_show
    _failure, _to_show = "", False


def begin_frame(scene: Any) -> None:
    """Blender begins to render the scene's current frame."""
    global _frame
    _frame = scene.frame_current


def fail(scene: Any, error: Exception) -> str:
    """End this Blender; in a window, remember the reason for `show` and return it."""
    global _failure, _to_show
    if isinstance(error, EgsError):
        error = _all_missing(scene) or error
    else:
        log.error("a frame could not be handed to the render", exc_info=error)
    text = str(error) or type(error).__name__
    frame = f"{scene.frame_current_final:g}"
    _failure = f"frame {frame} was rendered without the head: {text}"
    if bpy.app.background:
        _remove_placeholder(scene)
        _leave(f"frame {frame} is not rendered: {text}", getattr(error, "exit_code", 1))
    _to_show = True
    return _failure


def show() -> None:
    """A pop-up once the render has ended, on the main thread, where Blender draws."""
    global _to_show
    if not _to_show or threading.current_thread() is not threading.main_thread():
        return
    _to_show = False
    bpy.app.timers.register(_pop_up, first_interval=0.0)


def _all_missing(scene: Any) -> EgsError | None:
    """Names every missing file of the rendered heads at once, not just the first."""
    try:
        check_files(scene, rendered_heads(scene))
    except EgsError as error:
        return error
    return None


def _remove_placeholder(scene: Any) -> None:
    if not scene.render.use_placeholder:
        return
    path = Path(bpy.path.abspath(scene.render.frame_path(frame=_frame)))
    if path.is_file() and not path.stat().st_size:
        path.unlink()


def _leave(text: str, code: int) -> None:
    """End this Blender: files of finished frames are complete. Not by sys.exit, during which
    Blender frees what the render still uses."""
    print(f"error: {text}", file=sys.stderr)
    engines.close()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _pop_up() -> None:
    def draw(self: Any, _context: Any) -> None:
        self.layout.label(text=_failure, translate=False)

    bpy.context.window_manager.popup_menu(draw, title="Talking head", icon="ERROR")
