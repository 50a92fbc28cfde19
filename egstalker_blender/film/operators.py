"""*Bake Video*: the frames of the active avatar and its voice as a film."""

from __future__ import annotations

from typing import Any

import bpy

from ...core.errors import EgsError
from ..bake import BakeOperator, EGSTALKER_OT_bake, blocker
from ..gather import Gathered, read_settings
from ..placed import Placed
from ..stepped import Steps
from .plan import Plan, chosen_path, no_ffmpeg


class EGSTALKER_OT_bake_video(BakeOperator, bpy.types.Operator):
    bl_idname = "egstalker.bake_video"
    bl_label = "Bake Video"
    bl_description = (
        "Write the talking head as a film with its voice. Esc stops; finished frames stay if they "
        "are kept"
    )

    _confirmed = False  # the user was asked; a script is not, and does not wait

    @classmethod
    def reason(cls, context: Any) -> str:
        return no_ffmpeg() or blocker(context)

    @classmethod
    def heads(cls, context: Any) -> list[Placed]:
        return EGSTALKER_OT_bake.heads(context)

    def invoke(self, context: Any, event: Any) -> set[str]:
        return self.asks(context, event) or super().invoke(context, event)

    def execute(self, context: Any) -> set[str]:
        if self._confirmed:
            return super().invoke(context, None)
        return super().execute(context)

    def asks(self, context: Any, event: Any) -> set[str] | None:
        """Ask before an existing film is replaced; None where there is none."""
        (head,) = EGSTALKER_OT_bake.heads(context)
        try:
            settings = read_settings(context.scene, head.obj, instance=head.instance)
            path = chosen_path(settings, head.obj)
        except EgsError:  # the bake reports it
            return None
        if not path.exists():
            return None
        self._confirmed = True
        found: set[str] = context.window_manager.invoke_confirm(
            self,
            event,
            title="Replace this film?",
            message=str(path),
            confirm_text="Replace",
            icon="WARNING",
        )
        return found

    def _bake(self, scene: Any, heads: list[Placed], gathered: list[Gathered]) -> Steps:
        from .film import film_steps  # not when Blender starts

        obj = heads[0].obj
        plan = Plan(chosen_path(gathered[0].settings, obj), obj.egstalker.keep_frames)
        return film_steps(scene, obj, self._engine(), gathered[0], plan)


register, unregister = bpy.utils.register_classes_factory((EGSTALKER_OT_bake_video,))
