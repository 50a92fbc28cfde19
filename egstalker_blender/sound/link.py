"""Links an avatar to the sound that drives it: a strip of the sequencer, or a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.app.handlers import persistent
from bpy.props import BoolProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ...core.audio.features import FEATURE_SUFFIX
from ...core.bake.plan import FIRST_FRAME
from ...core.errors import ArgumentError, AudioError, EgsError
from ..properties import active_avatar, is_avatar
from .strips import add_strip, settle_marks, sound_strips, window_of_strip


def link_strip(scene: Any, obj: Any, name: str) -> None:
    """Link the sound strip `name`. ArgumentError or AudioError if that is impossible."""
    window_of_strip(scene, name)
    obj.egstalker.sound_strip = name
    obj.egstalker.sound_source = "STRIP"


def link_file(
    scene: Any, obj: Any, path: Path, place_strip: bool, frame: int = FIRST_FRAME
) -> None:
    """Link the file; with `place_strip`, through a new strip at `frame`. Feature files (.npy) are
    not sounds and are linked as files."""
    if not path.is_file():
        raise AudioError(f"sound file {str(path)!r} does not exist; check the path")
    if place_strip and path.suffix.lower() != FEATURE_SUFFIX:
        try:
            strip = add_strip(scene, path, frame)
        except RuntimeError as error:  # raised by new_sound for a file that it cannot load
            text = str(error).strip().removeprefix("Error: ")
            raise AudioError(f"no strip can be made of sound file {str(path)!r}: {text}") from None
        link_strip(scene, obj, strip.name)
        return
    obj.egstalker.sound_file = str(path)
    obj.egstalker.sound_source = "FILE"


def _target(context: Any) -> Any:
    obj = active_avatar(context)
    if obj is None:
        raise ArgumentError("no avatar is selected; select one")
    return obj


def _poll(cls: Any, context: Any) -> bool:
    if active_avatar(context) is None:
        cls.poll_message_set("Select an avatar, or import one")
        return False
    return True


class EGSTALKER_OT_link_sound(bpy.types.Operator):
    bl_idname = "egstalker.link_sound"
    bl_label = "Link Sound Strip"
    bl_description = "Let a sound strip of the sequencer drive the avatar"
    bl_options = {"REGISTER", "UNDO"}

    strip: StringProperty(name="Strip", description="Name of the strip; empty for the only one")

    @classmethod
    def poll(cls, context: Any) -> bool:
        return _poll(cls, context)

    def execute(self, context: Any) -> set[str]:
        names = [strip.name for strip in sound_strips(context.scene)]
        name = self.strip or (names[0] if len(names) == 1 else "")
        try:
            link_strip(context.scene, _target(context), name)
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class EGSTALKER_OT_link_sound_file(bpy.types.Operator, ImportHelper):
    bl_idname = "egstalker.link_sound_file"
    bl_label = "Link Sound File"
    bl_description = "Let a sound file drive the avatar"
    bl_options = {"REGISTER", "UNDO"}

    filter_glob: StringProperty(
        default="*.wav;*.mp3;*.flac;*.ogg;*.m4a;*.aac;*.opus;*.npy", options={"HIDDEN"}
    )
    add_strip: BoolProperty(
        name="Add Strip",
        description="Place the sound in the sequencer and link its strip",
        default=True,
    )
    frame: IntProperty(
        name="Frame", description="Frame at which the strip starts", default=FIRST_FRAME
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        return _poll(cls, context)

    def execute(self, context: Any) -> set[str]:
        path = Path(bpy.path.abspath(self.filepath))
        try:
            link_file(context.scene, _target(context), path, self.add_strip, self.frame)
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


CLASSES = (EGSTALKER_OT_link_sound, EGSTALKER_OT_link_sound_file)


@persistent
def _settle(scene: Any, depsgraph: Any) -> None:
    if scene.sequence_editor and depsgraph.id_type_updated("SCENE"):
        settle_marks(scene, (obj for obj in scene.objects if is_avatar(obj)))


_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def register() -> None:
    _register_classes()
    bpy.app.handlers.depsgraph_update_post.append(_settle)


def unregister() -> None:
    bpy.app.handlers.depsgraph_update_post.remove(_settle)
    _unregister_classes()
