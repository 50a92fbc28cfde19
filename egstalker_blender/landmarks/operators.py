"""Adds the empties of the chosen landmarks, or renews their keyframes."""

from __future__ import annotations

from typing import Any

import bpy

from ...core.errors import ArgumentError, EgsError
from ...core.records.progress import Progress
from .. import engines
from ..bake import head_blocker
from ..gather import NOTHING, Gathered
from ..properties import active_avatar
from ..reasoned import NO_AVATAR, Reasoned
from ..stepped import Stepped, Steps
from ..timeline import timer
from . import empties, gather


class EGSTALKER_OT_landmark_empties(Reasoned, Stepped, bpy.types.Operator):
    bl_idname = "egstalker.landmark_empties"
    bl_label = "Key Landmark Empties"
    bl_description = (
        "Add an empty for each chosen landmark, with keyframes over the scene's frames that follow "
        "the speaking face; empties that are there already are keyed anew. Esc stops"
    )
    bl_options = {"REGISTER", "UNDO"}

    stopped, finished = "Stopped; no keyframe was changed", "Landmark empties are keyed"

    @classmethod
    def reason(cls, context: Any) -> str:
        obj = active_avatar(context)
        if obj is None:
            return NO_AVATAR
        if not obj.egstalker.landmarks:
            return "Choose a landmark"
        if context.scene not in obj.users_scene:
            return "The avatar is in an instanced collection; make a library override of it"
        return head_blocker(context.scene, obj)

    def execute(self, context: Any) -> set[str]:
        try:
            for _ in self._keyed(context, self._read(context)):
                pass
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, self.finished)
        return {"FINISHED"}

    def invoke(self, context: Any, _event: Any) -> set[str]:
        try:
            gathered = self._read(context)
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return self.begin(context, self._keyed(context, gathered), len(gathered.frames))

    def _read(self, context: Any) -> Gathered:
        obj, service = active_avatar(context), timer.service()
        known = service.loaded(context.scene, obj) if service else NOTHING
        return gather.read(context, obj, known)

    def _keyed(self, context: Any, gathered: Gathered) -> Steps:
        """Nothing in the scene changes before the last frame is computed."""
        obj = active_avatar(context)
        uid = obj.session_uid
        names = tuple(name for name in empties.LABELS if name in obj.egstalker.landmarks)
        paths = yield from gather.path_steps(engines.engine_for(), gathered, names)
        obj = next((one for one in context.scene.objects if one.session_uid == uid), None)
        if obj is None:
            raise ArgumentError(
                f"the avatar is no longer in scene {context.scene.name!r}; nothing was keyed"
            )
        empties.write(context, obj, paths)
        yield Progress(len(paths.frames), len(paths.frames))


register, unregister = bpy.utils.register_classes_factory((EGSTALKER_OT_landmark_empties,))
