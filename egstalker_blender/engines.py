"""The one engine of a Blender session: opened when first needed, closed with Blender."""

from __future__ import annotations

import atexit
from pathlib import Path
from typing import Any

import bpy
from bpy.app.handlers import persistent

from ..core.engine.seam import Engine
from ..core.errors import MissingPackageError
from . import preferences

Key = tuple[str, Path | None, str]


def open_engine(kind: str, python: Path | None) -> Engine:
    # Not at the top: enabling the extension must be quick, and engines import a good deal.
    from ..core.engine.builtin import BuiltinEngine
    from ..core.engine.choose import open_engine as choose

    if kind == "builtin":
        return choose(kind)  # the device is the worker's
    try:
        return choose(kind, python, backend=preferences.backend())
    except MissingPackageError as error:
        if kind == "worker":
            raise
        return BuiltinEngine(reason=str(error))


class Holder:
    """The engine that is open and what it was asked for; nothing else outlives a call here."""

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._key: Key | None = None

    def get(self, kind: str, python: Path | None) -> Engine:
        key = (kind, python, preferences.backend())
        if self._engine is None or key != self._key:
            self.close()
            self._engine, self._key = open_engine(kind, python), key
        return self._engine

    def line(self) -> str:
        return self._engine.status().line() if self._engine else "not started"

    def close(self) -> None:
        engine, self._engine, self._key = self._engine, None, None
        if engine is not None:
            engine.close()


_holder = Holder()


def engine_for(kind: str = "", python: Path | None = None) -> Engine:
    """The session's engine of that kind and worker Python; what is not given comes from the
    preferences. Raises MissingPackageError, EngineError, ArgumentError."""
    return _holder.get(kind or preferences.engine_kind(), python or preferences.worker_python())


def status_line() -> str:
    return _holder.line()


def close() -> None:
    """May be called at any time; the next use opens an engine again."""
    _holder.close()


@persistent
def _close_before_exit(*_: Any) -> None:
    close()


def register() -> None:
    atexit.register(close)
    if hasattr(bpy.app.handlers, "exit_pre"):  # since 5.1; before, atexit alone
        bpy.app.handlers.exit_pre.append(_close_before_exit)


def unregister() -> None:
    if hasattr(bpy.app.handlers, "exit_pre"):
        bpy.app.handlers.exit_pre.remove(_close_before_exit)
    atexit.unregister(close)
    close()
