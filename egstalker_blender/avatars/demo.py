"""The bundled avatar and its speech: a talking head that needs no file of the user."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty

from ...core.errors import EgsError
from ..sound.link import link_file, link_strip
from ..sound.scenes import show_sequencer
from ..sound.strips import linked_window
from ..sound.windows import sound_strips
from .importer import import_avatar

ASSETS = Path(__file__).parents[1] / "assets"
AVATAR, SPEECH = ASSETS / "demo.egs", ASSETS / "demo.wav"
DEFAULT_RANGE = (1, 250)  # of a new scene


def add_talking_head(context: Any, with_speech: bool = True, fit_range: bool = True) -> Any:
    """Add the demo avatar at the 3D cursor and link it to a strip of the demo speech (an existing
    one, if there is one). With `fit_range`, a scene that still has the default frame range ends
    with the speech. Nothing else in the scene changes. EgsError."""
    scene = context.scene
    obj = import_avatar(context, AVATAR)
    obj.location = scene.cursor.location
    if with_speech:
        show_sequencer(context)
        _link_speech(scene, obj)
        if fit_range and (scene.frame_start, scene.frame_end) == DEFAULT_RANGE:
            scene.frame_end = max(scene.frame_start, _last_frame(scene, obj))
    return obj


def _link_speech(scene: Any, obj: Any) -> None:
    for strip in sound_strips(scene):
        if strip.sound and Path(bpy.path.abspath(strip.sound.filepath)) == SPEECH:
            link_strip(scene, obj, strip.name)
            return
    link_file(scene, obj, SPEECH, place_strip=True)


def _last_frame(scene: Any, obj: Any) -> int:
    return math.ceil(linked_window(scene, obj).right) - 1


class EGSTALKER_OT_add_talking_head(bpy.types.Operator):
    bl_idname = "egstalker.add_talking_head"
    bl_label = "Add Talking Head"
    bl_description = (
        "Add the bundled avatar at the 3D cursor, and its speech as a sound strip at frame 1"
    )
    bl_options = {"REGISTER", "UNDO"}

    with_speech: BoolProperty(
        name="Speech",
        description="Place the speech in the sequencer and let it drive the head",
        default=True,
    )
    fit_range: BoolProperty(
        name="Fit Range",
        description="End the scene where the speech ends, if its frame range is still the default "
        "(1 to 250). The frame rate is not changed",
        default=True,
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        if context.mode != "OBJECT":
            cls.poll_message_set("Switch to Object Mode first")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        try:
            obj = add_talking_head(context, self.with_speech, self.fit_range)
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"{obj.name}: play, or bake in the sidebar, tab EGSTalker")
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory((EGSTALKER_OT_add_talking_head,))
