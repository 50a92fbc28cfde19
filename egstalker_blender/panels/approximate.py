"""The switch between the exact and the approximate head, and how well they match."""

from __future__ import annotations

from typing import Any

from ...core.records.avatar import Avatar
from ..timeline import timer
from .labels import draw_text, translated


def draw(layout: Any, context: Any, obj: Any) -> None:
    layout.prop(obj.egstalker, "approximate")
    avatar = _avatar_of(context.scene, obj)
    if obj.egstalker.approximate and avatar is not None:
        draw_text(layout, context, text_of(avatar), "INFO")


def text_of(avatar: Avatar) -> str:
    """The effect of the option on this avatar, as one sentence."""
    if avatar.frozen_gaussians is None:
        return translated("This avatar has no measurement for it, so it stays exact")
    share = len(avatar.frozen_gaussians) / len(avatar.gaussians)
    return translated(
        "Freezes {share:.0%} of the Gaussians; images match to {worst:.0f} dB or better"
    ).format(share=share, worst=avatar.frozen_gaussians.measured.worst)


def _avatar_of(scene: Any, obj: Any) -> Avatar | None:
    """The avatar that the timeline has loaded, None before that."""
    service = timer.service()
    head = service.head_of(scene, obj) if service else None
    return head.avatar if head else None
