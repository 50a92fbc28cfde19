"""*Bake Video*: the frames of the active avatar and its voice as a film."""

from __future__ import annotations

from typing import Any

import bpy

from ..bake import BakeOperator, blocker
from ..gather import Gathered
from ..properties import active_avatar
from ..stepped import Steps
from .film import Plan, chosen_path, film_steps, no_ffmpeg


class EGSTALKER_OT_bake_video(BakeOperator, bpy.types.Operator):
    bl_idname = "egstalker.bake_video"
    bl_label = "Bake Video"
    bl_description = (
        "Write the talking head as a film with its voice. Esc stops; finished frames stay if they "
        "are kept"
    )

    @classmethod
    def reason(cls, context: Any) -> str:
        return no_ffmpeg() or blocker(context)

    @classmethod
    def heads(cls, context: Any) -> list[Any]:
        return [active_avatar(context)]

    def _bake(self, context: Any, gathered: list[Gathered]) -> Steps:
        obj = active_avatar(context)
        plan = Plan(chosen_path(gathered[0].settings, obj), obj.egstalker.keep_frames)
        return film_steps(context.scene, obj, self._engine(), gathered[0], plan)


register, unregister = bpy.utils.register_classes_factory((EGSTALKER_OT_bake_video,))
