"""Functions that Blender calls at events (`bpy.app.handlers`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import bpy

Handlers = Iterable[tuple[str, Callable[..., Any]]]  # (name of Blender's list, function)


def add(handlers: Handlers) -> None:
    for name, function in handlers:
        getattr(bpy.app.handlers, name).append(function)


def remove(handlers: Handlers) -> None:
    for name, function in handlers:
        getattr(bpy.app.handlers, name).remove(function)
