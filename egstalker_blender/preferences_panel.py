"""The add-on preferences as Blender shows them; preferences.py reads their values."""

from __future__ import annotations

import logging
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty

from .. import __package__ as base_package
from .preferences import DISK_MB, ENGINE_ITEMS, MEMORY_MB, WORKER_PYTHON_VARIABLE, get
from .setup_worker.draw import draw_worker

DEVICE_ITEMS = (
    ("auto", "Auto", "The GPU if the worker has one, otherwise the CPU"),
    ("cpu", "CPU", "All CPU cores (the worker needs numba)"),
    ("cuda", "CUDA", "An NVIDIA GPU (the worker needs torch with CUDA)"),
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
    landmark_model: StringProperty(
        name="Landmark Model",
        description="MediaPipe's face_landmarker.task, for training on videos. Empty: the model in "
        "the worker's mediapipe, which has none in Python 3.13",
        subtype="FILE_PATH",
    )
    segmenter: StringProperty(
        name="Segmenter",
        description="MediaPipe's selfie_segmenter.tflite or selfie_multiclass_256x256.tflite, for "
        "training on videos. Empty: the model in the worker's mediapipe, which has none in Python "
        "3.13",
        subtype="FILE_PATH",
    )
    engine: EnumProperty(
        name="Engine",
        description="Engine that computes the frames",
        items=ENGINE_ITEMS,
        default="auto",
    )
    device: EnumProperty(
        name="Device",
        description="Device that the worker computes on",
        items=DEVICE_ITEMS,
        default="auto",
    )
    cache_memory_mb: IntProperty(
        name="Cache Memory (MB)",
        description="Megabytes of memory for computed frames; the oldest are removed first",
        default=MEMORY_MB,
        min=16,
        soft_max=16384,
        max=1_000_000,
    )
    cache_disk_mb: IntProperty(
        name="Cache Disk (MB)",
        description="Megabytes on disk for frames removed from memory. 0: none are written",
        default=DISK_MB,
        min=0,
        soft_max=65536,
        max=10_000_000,
    )
    cache_folder: StringProperty(
        name="Cache Folder",
        description="Folder for frames on disk. Empty: next to the .blend, or the user's cache "
        "folder while the .blend is not saved",
        subtype="DIR_PATH",
    )
    write_xmp: BoolProperty(
        name="Declare Synthetic (XMP)",
        description="Write into pictures and films that they are synthetic, with name, licence and "
        "content hash of the avatar: IPTC's Digital Source Type, which news agencies, stock "
        "libraries and social networks read. Pixels do not change",
        default=True,
    )
    log_level: EnumProperty(
        name="Log Level",
        description="Lowest level of messages that are written to the terminal",
        items=LOG_ITEMS,
        default="WARNING",
        update=_apply_log_level,
    )

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "engine")
        layout.prop(self, "device")
        layout.prop(self, "worker_python")
        draw_worker(layout, context)
        col = layout.column()
        col.prop(self, "landmark_model")
        col.prop(self, "segmenter")
        col = layout.column()
        col.prop(self, "cache_memory_mb")
        col.prop(self, "cache_disk_mb")
        col.prop(self, "cache_folder")
        layout.prop(self, "write_xmp")
        layout.prop(self, "log_level")


_register_class, _unregister_class = bpy.utils.register_classes_factory((EGSTALKER_AP_preferences,))


def register() -> None:
    _register_class()
    preferences = get()
    if preferences:
        _apply_log_level(preferences, None)


def unregister() -> None:
    _unregister_class()
