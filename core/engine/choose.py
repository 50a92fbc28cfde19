"""Chooses the engine: the requested one, or the best that works here, with the reason."""

from __future__ import annotations

from pathlib import Path

from ..errors import ArgumentError, EngineError, WorkerError
from ..system.folders import log_folder
from .builtin import BuiltinEngine
from .interface import Engine
from .worker import WorkerEngine

KINDS = ("auto", "builtin", "worker")
NO_PYTHON = "no worker Python is set"


def open_engine(
    kind: str = "auto",
    python: Path | None = None,
    log: Path | None = None,
    backend: str = "auto",
) -> Engine:
    """kind: one of KINDS; "auto" takes the worker if `python` answers, else the built-in engine
    with the reason in its status. python: the worker's interpreter. log: the worker's stderr, by
    default worker.log in the user's cache. backend: one of backends.CHOICES.
    Raises ArgumentError, WorkerError ("worker" that cannot start), MissingPackageError."""
    if kind not in KINDS:
        raise ArgumentError(f"engine {kind!r} is unknown; choose one of {', '.join(KINDS)}")
    if kind == "builtin":
        return BuiltinEngine(backend)
    if python is None:
        if kind == "worker":
            raise WorkerError(f"{NO_PYTHON}; choose one in the preferences, or the built-in engine")
        return BuiltinEngine(backend, NO_PYTHON)
    try:
        return _started(WorkerEngine(python, log or log_folder() / "worker.log", backend=backend))
    except EngineError as error:
        if kind == "worker":
            raise
        return BuiltinEngine(backend, str(error))


def _started(worker: WorkerEngine) -> WorkerEngine:
    try:
        worker.start()
    except BaseException:
        worker.close()
        raise
    return worker
