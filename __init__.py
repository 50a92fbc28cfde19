# SPDX-License-Identifier: GPL-3.0-or-later
"""EGSTalker for Blender: this folder is the extension. The Blender half is egstalker_blender/."""

from __future__ import annotations


def register() -> None:
    # Not at the top: the folder can be imported where there is no bpy.
    from .egstalker_blender import register as register_all

    register_all()


def unregister() -> None:
    from .egstalker_blender import unregister as unregister_all

    unregister_all()
