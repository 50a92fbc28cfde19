"""Add-on preferences, and what holds where there are none (the package loaded by its path)."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import bpy
from bpy.props import EnumProperty, StringProperty

from .. import __package__ as base_package
from ..core.errors import ArgumentError

WORKER_PYTHON_VARIABLE = "EGSTALKER_WORKER_PYTHON"

ENGINE_ITEMS = (
    ("auto", "Auto", "The worker where one is set up, else the built-in engine"),
    ("builtin", "Built-in", "Inside Blender: nothing to install, slower"),
    ("worker", "Worker", "A process of another Python with numba, or torch and a GPU"),
)
LOG_ITEMS = tuple(
    (name, name.title(), f"Log messages of level {name.lower()} and above")
    for name in ("ERROR", "WARNING", "INFO", "DEBUG")
)


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
    log_level: EnumProperty(
        name="Log Level",
        description="How much is written to the terminal",
        items=LOG_ITEMS,
        default="WARNING",
        update=_apply_log_level,
    )

    def draw(self, _context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "engine")
        layout.prop(self, "worker_python")
        layout.prop(self, "log_level")


def get() -> Any | None:
    """The add-on's preferences, None where the package is not enabled as an add-on."""
    addon = bpy.context.preferences.addons.get(base_package)
    return addon.preferences if addon else None


def engine_kind() -> str:
    preferences = get()
    return str(preferences.engine) if preferences else "auto"


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
