"""Add-on preferences, and what holds where there are none (the package loaded by its path)."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty

from .. import __package__ as base_package
from ..core.errors import ArgumentError

WORKER_PYTHON_VARIABLE = "EGSTALKER_WORKER_PYTHON"

ENGINE_ITEMS = (
    ("auto", "Auto", "The worker where one is set up, else the built-in engine"),
    ("builtin", "Built-in", "Inside Blender: nothing to install, slower"),
    ("worker", "Worker", "A process of another Python with numba, or torch and a GPU"),
)
DEVICE_ITEMS = (
    ("auto", "Auto", "The GPU where the worker has one, else the processor"),
    ("cpu", "CPU", "The processor, all cores (the worker needs numba)"),
    ("cuda", "CUDA", "An NVIDIA GPU (the worker needs torch with CUDA)"),
)
BACKENDS = {"auto": "auto", "cpu": "numba", "cuda": "cuda"}  # device -> core.backends' name
MEMORY_MB, DISK_MB = 1024, 4096  # budgets of the cache unless the user says otherwise
LOG_ITEMS = tuple(
    (name, name.title(), f"Log messages of level {name.lower()} and above")
    for name in ("ERROR", "WARNING", "INFO", "DEBUG")
)


@dataclass(frozen=True)
class CacheBudget:
    """Megabytes (10^6 bytes) that frames may take. disk_mb 0: nothing is written. folder: where
    to, None for a folder beside the .blend, or the user's where it is not saved."""

    memory_mb: int = MEMORY_MB
    disk_mb: int = DISK_MB
    folder: Path | None = None


def _apply_log_level(preferences: Any, _context: Any) -> None:
    logging.getLogger(base_package).setLevel(preferences.log_level)


class EGSTALKER_AP_preferences(bpy.types.AddonPreferences):
    bl_idname = base_package

    worker_python: StringProperty(
        name="Worker Python",
        description="Python interpreter that runs the worker. Empty: the environment variable "
        + WORKER_PYTHON_VARIABLE,
        subtype="FILE_PATH",
    )
    engine: EnumProperty(
        name="Engine", description="What computes the frames", items=ENGINE_ITEMS, default="auto"
    )
    device: EnumProperty(
        name="Device",
        description="What the worker computes on",
        items=DEVICE_ITEMS,
        default="auto",
    )
    cache_memory_mb: IntProperty(
        name="Cache Memory (MB)",
        description="Megabytes of memory for frames that were computed; the oldest leave first",
        default=MEMORY_MB,
        min=16,
        soft_max=16384,
        max=1_000_000,
    )
    cache_disk_mb: IntProperty(
        name="Cache Disk (MB)",
        description="Megabytes on disk for frames that left the memory. 0: none are written",
        default=DISK_MB,
        min=0,
        soft_max=65536,
        max=10_000_000,
    )
    cache_folder: StringProperty(
        name="Cache Folder",
        description="Where frames are kept on disk. Empty: beside the .blend, or in the user's "
        "cache folder while it is not saved",
        subtype="DIR_PATH",
    )
    log_level: EnumProperty(
        name="Log Level",
        description="How much is written to the terminal",
        items=LOG_ITEMS,
        default="WARNING",
        update=_apply_log_level,
    )

    def draw(self, context: Any) -> None:
        from .setup_worker.draw import draw_worker  # it reads these preferences in turn

        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "engine")
        layout.prop(self, "device")
        layout.prop(self, "worker_python")
        draw_worker(layout, context)
        col = layout.column()
        col.prop(self, "cache_memory_mb")
        col.prop(self, "cache_disk_mb")
        col.prop(self, "cache_folder")
        layout.prop(self, "log_level")


def get() -> Any | None:
    """The add-on's preferences, None where the package is not enabled as an add-on."""
    addon = bpy.context.preferences.addons.get(base_package)
    return addon.preferences if addon else None


def engine_kind() -> str:
    preferences = get()
    return str(preferences.engine) if preferences else "auto"


def backend() -> str:
    """The worker's backend, as `core.backends` names it."""
    preferences = get()
    return BACKENDS[preferences.device] if preferences else "auto"


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
    """The worker's interpreter: preferences first, then the environment; None where neither."""
    preferences = get()
    text = preferences.worker_python if preferences else ""
    return python_path(text or os.environ.get(WORKER_PYTHON_VARIABLE, ""))


def python_path(text: str) -> Path | None:
    """An interpreter as the user wrote it; ArgumentError where it is not a file."""
    if not text:
        return None
    path = Path(bpy.path.abspath(text)).expanduser()
    if not path.is_file():
        raise ArgumentError(f"worker Python {str(path)!r} is not a file; choose an interpreter")
    return path


def register() -> None:
    bpy.utils.register_class(EGSTALKER_AP_preferences)
    preferences = get()
    if preferences:
        _apply_log_level(preferences, None)


def unregister() -> None:
    bpy.utils.unregister_class(EGSTALKER_AP_preferences)
