"""Closes resources when Blender quits, however it was started."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from typing import Any

import bpy
from bpy.app.handlers import persistent


class ExitHook:
    """Calls `close` before Blender ends: from Blender's own handler (since 5.1) and when Python
    ends, so `close` may be called more than once. With bpy as a module Python ends first, and
    Blender must not call a handler after that, so the handler is removed then. owner: the module
    that Blender's list of handlers names."""

    def __init__(self, close: Callable[[], object], owner: str) -> None:
        @persistent
        def before_exit(*_: Any) -> None:
            close()

        before_exit.__module__ = owner
        self._before_exit, self._close = before_exit, close

    def register(self) -> None:
        atexit.register(self._at_exit)
        if hasattr(bpy.app.handlers, "exit_pre"):
            bpy.app.handlers.exit_pre.append(self._before_exit)

    def unregister(self) -> None:
        self._remove_handler()
        atexit.unregister(self._at_exit)

    def _at_exit(self) -> None:
        self._remove_handler()
        self._close()

    def _remove_handler(self) -> None:
        handlers = getattr(bpy.app.handlers, "exit_pre", [])
        if self._before_exit in handlers:
            handlers.remove(self._before_exit)
