"""Mixins for panels by their place in the interface."""

from __future__ import annotations

from typing import Any

from ..properties import active_avatar, is_avatar


class Sidebar:
    """Mixin of a panel in the sidebar of the 3D view."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "EGSTalker"


class SidebarPart(Sidebar):
    """The same for a panel inside the avatar's panel, shown while there is an active avatar."""

    bl_parent_id = "EGSTALKER_PT_avatar"

    @classmethod
    def poll(cls, context: Any) -> bool:
        return active_avatar(context) is not None


class ObjectProperties:
    """Mixin of a panel in Properties > Object of an avatar."""

    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "object"

    @classmethod
    def poll(cls, context: Any) -> bool:
        return is_avatar(context.object)


class ObjectPart(ObjectProperties):
    """The same for a panel inside the avatar's panel. Subclasses draw in `draw_part`."""

    bl_parent_id = "EGSTALKER_PT_object"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        layout = self.layout  # type: ignore[attr-defined]
        layout.use_property_split = True
        self.draw_part(layout.column(), context, context.object)

    def draw_part(self, layout: Any, context: Any, obj: Any) -> None:
        raise NotImplementedError
