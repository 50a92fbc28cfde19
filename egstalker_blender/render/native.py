"""Which avatars Blender itself renders: each has a cloud of its own, on an object in no collection.

Needs Blender 5.3. Nothing here computes a head.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

from ..properties import is_avatar
from . import cloud
from .native_group import add_modifier, companion_of, modifier_of, set_companion

SUPPORTED = bpy.app.version >= (5, 3, 0)
TOO_OLD = "Blender renders Gaussian splats from version 5.3 on; add a render layer instead"


def cloud_of(obj: Any) -> Any:
    """The avatar's cloud; None without a modifier, or where its object was deleted."""
    modifier = modifier_of(obj) if SUPPORTED else None
    companion = companion_of(modifier) if modifier else None
    return companion.data if companion is not None and companion.type == "POINTCLOUD" else None


def is_rendered(obj: Any) -> bool:
    """True where F12 shows the head: it has a cloud, and the modifier is on for renders."""
    return cloud_of(obj) is not None and bool(modifier_of(obj).show_render)


def is_viewed(obj: Any) -> bool:
    """True where rendered and material shading of the 3D view show the cloud."""
    return cloud_of(obj) is not None and bool(modifier_of(obj).show_viewport)


def avatars() -> Iterator[Any]:
    """All avatars with a cloud."""
    return (obj for obj in bpy.data.objects if is_avatar(obj) and cloud_of(obj) is not None)


def attach(obj: Any) -> None:
    """Give the avatar a cloud of its own. What it already has stays."""
    if cloud_of(obj) is not None:
        return
    modifier = modifier_of(obj)
    companion = _companion(obj.name)
    if modifier is None:
        add_modifier(obj, companion)
    else:
        set_companion(modifier, companion)


def detach(obj: Any) -> None:
    """Take the cloud away, and delete it if no other avatar shows it."""
    modifier = modifier_of(obj)
    if modifier is None:
        return
    companion = companion_of(modifier)
    set_companion(modifier, None)
    obj.modifiers.remove(modifier)
    if companion is not None and companion.library is None and companion.users == 0:
        data = companion.data
        bpy.data.objects.remove(companion)
        if data.users == 0:
            bpy.data.pointclouds.remove(data)


def separate() -> int:
    """Give copies and library overrides of an avatar clouds of their own: two heads may speak at
    different times, and a linked cloud is not drawn in renders. Returns how many. A linked avatar
    cannot be changed and keeps sharing."""
    taken: set[int] = set()
    made = 0
    for obj in list(avatars()):
        modifier = modifier_of(obj)
        shared = cloud_of(obj)
        is_own = shared.session_uid not in taken and shared.library is None
        if is_own or obj.library is not None:
            taken.add(shared.session_uid)
            continue
        companion = _companion(obj.name)
        for material in shared.materials:
            companion.data.materials.append(material)
        set_companion(modifier, companion)
        taken.add(companion.data.session_uid)
        made += 1
    return made


def _companion(name: str) -> Any:
    data = cloud.make(f"{name} Splats")
    return bpy.data.objects.new(data.name, data)
