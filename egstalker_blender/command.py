"""The command `blender --command egstalker`. What it runs is imported when it runs: Blender must
start quickly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy

COMMAND = "egstalker"
_registered: list[Any] = []


def _run(argv: Sequence[str]) -> int:
    from .cli import main

    return main(argv)


def register() -> None:
    if hasattr(bpy.utils, "register_cli_command"):
        _registered.append(bpy.utils.register_cli_command(COMMAND, _run))


def unregister() -> None:
    while _registered:
        bpy.utils.unregister_cli_command(_registered.pop())
