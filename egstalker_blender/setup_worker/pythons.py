"""Finds interpreters on this system that can create an environment. Installs nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from ...core.engine.process import LEAST_PYTHON, python_version
from ...core.errors import WorkerError
from .plan import WITH_MODELS, WITHOUT_MODELS, Videos

NEWEST = (3, 13)  # the worker's packages are published up to this version
SYSTEM_LIMIT = 10.0  # seconds for a program to print its version


def candidates() -> Iterator[Path]:
    """Best first, each once, existing files: versions named on PATH, pyenv's, Blender's own."""
    seen = set()
    for path in _places():
        if path.is_file() and str(path) not in seen:
            seen.add(str(path))
            yield path


def _places() -> Iterator[Path]:
    suffix = ".exe" if os.name == "nt" else ""
    minors = range(NEWEST[1], LEAST_PYTHON[1] - 1, -1)
    names = [f"python3.{minor}" for minor in minors] + ["python3", "python"]
    for name in names:
        for folder in os.get_exec_path():
            yield Path(folder) / f"{name}{suffix}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for minor in minors:
        yield from sorted(pyenv.glob(f"versions/3.{minor}*/bin/python3.{minor}"), reverse=True)
    if os.name == "nt":
        programs = Path(os.environ.get("LOCALAPPDATA", "")) / "Programs" / "Python"
        for minor in minors:
            yield programs / f"Python3{minor}" / "python.exe"
    yield from blender_python()


def blender_python() -> Iterator[Path]:
    """The Python that Blender ships, as a program. It is only a base: an environment made from it
    is in another folder, and nothing is added to Blender."""
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for prefix in (sys.base_prefix, sys.prefix):
        if os.name == "nt":
            yield Path(prefix) / "bin" / "python.exe"
            yield Path(prefix) / "python.exe"
        else:
            yield Path(prefix) / "bin" / name


def find_base_for_videos(chosen: Path | None, models: bool) -> tuple[Path, Videos]:
    """The interpreter, and the packages for it: those with models if it has them. models: the user
    names model files, so that later Pythons will do. WorkerError."""
    try:
        return find_base(chosen, WITH_MODELS.newest), WITH_MODELS
    except WorkerError:
        if not models:
            raise
    return find_base(chosen, WITHOUT_MODELS.newest), WITHOUT_MODELS


def find_base(chosen: Path | None = None, newest: tuple[int, int] | None = None) -> Path:
    """The chosen interpreter, or the first that runs and is new enough. newest: the last version
    that has the packages for videos, None without them. WorkerError."""
    if chosen is not None:
        version = python_version(chosen)
        if version < LEAST_PYTHON:
            raise WorkerError(f"{chosen} is Python {_text(version)}; {_least()} or later is needed")
        if newest is not None and version[:2] > newest:
            raise WorkerError(f"{chosen} is Python {_text(version)}; {_videos_need(newest)}")
        return chosen
    newer = None
    for path in candidates():
        try:
            version = python_version(path, SYSTEM_LIMIT)
        except WorkerError:  # a shim, or a program of another kind
            continue
        if LEAST_PYTHON <= version[:2] <= (newest or NEWEST):
            return path
        if version[:2] > NEWEST:
            newer = newer or path
    if newest is not None:
        raise WorkerError(f"none was found: {_videos_need(newest)}; install one, or choose it")
    if newer is not None:
        return newer
    raise WorkerError(f"no Python {_least()} or later was found; install one, or choose it")


def _videos_need(newest: tuple[int, int]) -> str:
    pythons = f"videos need Python {_least()} to {_text(newest)}"
    if newest >= WITHOUT_MODELS.newest:
        return pythons
    return f"{pythons}, or {_text(WITHOUT_MODELS.newest)} and both model files in the preferences"


def _least() -> str:
    return _text(LEAST_PYTHON)


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
