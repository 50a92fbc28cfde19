"""The one engine of a Blender session: opened when first needed, closed with Blender."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..core.engine.interface import Engine
from ..core.errors import MissingPackageError
from . import preferences
from .exit import ExitHook

Key = tuple[str, Path | None, str]


def open_engine(kind: str, python: Path | None, backend: str = "auto") -> Engine:
    # Not at the top: enabling the extension must be quick, and engines import a good deal.
    from ..core.engine.builtin import BuiltinEngine
    from ..core.engine.choose import open_engine as choose

    if kind == "builtin":
        return choose(kind)  # the device is the worker's
    try:
        return choose(kind, python, backend=backend)
    except MissingPackageError as error:
        if kind == "worker":
            raise
        return BuiltinEngine(reason=str(error))


class Holder:
    """The open engine and the key that it was opened with; this module has no other state. May be
    used from several threads."""

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._key: Key | None = None
        self._guard = threading.RLock()
        self.bakes = 0

    def get(self, key: Key) -> Engine:
        with self._guard:
            if self._engine is None or key != self._key:
                self.close()
                self._engine, self._key = open_engine(*key), key
            return self._engine

    def for_viewport(self, key: Key) -> Engine:
        """The engine of that key; while a bake runs, the bake's engine, whatever the key."""
        with self._guard:
            if self.bakes and self._engine is not None:
                return self._engine
            return self.get(key)

    def line(self) -> str:
        return self._engine.status().line() if self._engine else "not started"

    def close(self) -> None:
        with self._guard:
            engine, self._engine, self._key = self._engine, None, None
        if engine is not None:
            engine.close()


_holder = Holder()


def engine_for(kind: str = "", python: Path | None = None) -> Engine:
    """The session's engine of that kind and worker Python; the preferences supply what is not
    given. Raises MissingPackageError, EngineError, ArgumentError."""
    return _holder.get(_key(kind, python))


def _key(kind: str = "", python: Path | None = None) -> Key:
    kind, python = kind or preferences.engine_kind(), python or preferences.worker_python()
    return kind, python, preferences.backend()


def viewport_source() -> Callable[[], Engine]:
    """A function that returns the viewport's engine in any thread. The preferences are read now;
    the engine is opened by the call. ArgumentError if the preferences name no interpreter."""
    key = _key()
    return lambda: _holder.for_viewport(key)


@contextmanager
def baking() -> Iterator[None]:
    """Context of a bake: inside it the viewport does not change the engine."""
    _holder.bakes += 1
    try:
        yield
    finally:
        _holder.bakes -= 1


def bake_needs_all() -> bool:
    """True while a bake runs on the built-in engine, which computes in this process."""
    return _holder.bakes > 0 and not _holder.line().startswith("worker")


def status_line() -> str:
    return _holder.line()


def close() -> None:
    """May be called at any time; the next use opens an engine again."""
    _holder.close()


_exit_hook = ExitHook(close, __name__)


def register() -> None:
    _exit_hook.register()


def unregister() -> None:
    _exit_hook.unregister()
    close()
