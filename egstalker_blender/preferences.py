"""Values of the add-on preferences, and their defaults if the package was loaded by its path and
has no preferences. preferences_panel.py declares them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from .. import __package__ as base_package
from ..core.errors import ArgumentError

WORKER_PYTHON_VARIABLE = "EGSTALKER_WORKER_PYTHON"

ENGINE_ITEMS = (
    ("auto", "Auto", "The worker if one is set up, otherwise the built-in engine"),
    ("builtin", "Built-in", "Runs inside Blender: nothing to install, but slower"),
    ("worker", "Worker", "Runs in a separate Python with numba, or with torch and a GPU"),
)
BACKENDS = {"auto": "auto", "cpu": "numba", "cuda": "cuda"}  # device -> core.bake.backends' name
MEMORY_MB, DISK_MB = 1024, 4096  # default budgets of the cache


@dataclass(frozen=True)
class CacheBudget:
    """Megabytes (10^6 bytes) that frames may take. disk_mb 0: nothing is written. folder: for the
    files; None for a folder next to the .blend, or the user's cache folder if that is not saved."""

    memory_mb: int = MEMORY_MB
    disk_mb: int = DISK_MB
    folder: Path | None = None


@dataclass(frozen=True)
class VideoModels:
    """MediaPipe's model files that the user names: landmarks of faces, outline of the person."""

    landmarks: Path | None = None
    segmenter: Path | None = None

    @property
    def complete(self) -> bool:
        return self.landmarks is not None and self.segmenter is not None

    @property
    def labelled(self) -> dict[str, Path | None]:
        return {"Landmark Model": self.landmarks, "Segmenter": self.segmenter}


def get() -> Any | None:
    """The add-on's preferences, None if the package is not enabled as an add-on."""
    addon = bpy.context.preferences.addons.get(base_package)
    return addon.preferences if addon else None


def engine_kind() -> str:
    preferences = get()
    return str(preferences.engine) if preferences else "auto"


def device() -> str:
    """Device that the worker computes on: auto, cpu or cuda."""
    preferences = get()
    return str(preferences.device) if preferences else "auto"


def backend() -> str:
    """The worker's backend, as `core.bake.backends` names it."""
    return BACKENDS[device()]


def writes_xmp() -> bool:
    """True if baked files declare themselves synthetic (core/images/xmp.py)."""
    preferences = get()
    return bool(preferences.write_xmp) if preferences else True


def cache_budget() -> CacheBudget:
    preferences = get()
    if preferences is None:
        return CacheBudget()
    folder = preferences.cache_folder
    return CacheBudget(
        memory_mb=preferences.cache_memory_mb,
        disk_mb=preferences.cache_disk_mb,
        folder=Path(bpy.path.abspath(folder)).expanduser() if folder else None,
    )


def worker_python() -> Path | None:
    """The worker's interpreter from the preferences, else the environment variable, else None."""
    preferences = get()
    text = preferences.worker_python if preferences else ""
    return python_path(text or os.environ.get(WORKER_PYTHON_VARIABLE, ""))


def python_path(text: str) -> Path | None:
    """An interpreter as the user wrote it. ArgumentError if it is not a file."""
    return _file(text, "worker Python", "an interpreter")


def video_models() -> VideoModels:
    """ArgumentError if one is not a file."""
    preferences = get()
    if preferences is None:
        return VideoModels()
    return VideoModels(
        _file(preferences.landmark_model, "Landmark Model", "face_landmarker.task"),
        _file(preferences.segmenter, "Segmenter", "selfie_segmenter.tflite"),
    )


def _file(text: str, label: str, wanted: str) -> Path | None:
    if not text:
        return None
    path = Path(bpy.path.abspath(text)).expanduser()
    if not path.is_file():
        raise ArgumentError(f"{label} {str(path)!r} is not a file; choose {wanted}")
    return path
