"""Links an avatar to the sound that drives it: a strip of the sequencer, or a file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import bpy
from bpy.app.handlers import persistent
from bpy.props import BoolProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ...core.audio.features import FEATURE_SUFFIX
from ...core.bake.plan import FIRST_FRAME
from ...core.errors import ArgumentError, AudioError, EgsError
from ..paths import stored_path
from ..properties import active_avatar, is_avatar
from ..reasoned import LINKED, NO_AVATAR, Reasoned
from .scenes import sequencer_scene, show_sequencer
from .strips import (
    VoiceStrips,
    check_strips,
    linked_pieces,
    linked_strips,
    loose_strips,
    mark_strips,
    settle_marks,
    strips_of_name,
    voice_of_pieces,
)
from .windows import add_strip, all_strips, sound_strips

SHOWN = 3  # names in a line of a panel


def link_strip(scene: Any, obj: Any, name: str) -> None:
    """Link the strips of that name (see strips.linked_strips) in the scene, the head's own or
    another. ArgumentError or AudioError, and nothing changes, if that is impossible."""
    check_strips(scene, strips_of_name(scene, name), name)
    props = obj.egstalker
    props.sound_source, props.sound_scene = "STRIP", _foreign(scene, obj)
    props.sound_strip = name


def _foreign(scene: Any, obj: Any) -> str:
    """The name of a scene that the object is not in; empty for one of its own."""
    return "" if scene in obj.users_scene else scene.name


def link_strips(scene: Any, obj: Any, strips: list[Any]) -> None:
    """Link these strips together. Errors as link_strip."""
    if not strips:
        raise ArgumentError("no strip is selected in the sequencer; select those of the voice")
    check_strips(scene, strips, strips[0].name)
    props = obj.egstalker
    props.sound_source, props.sound_scene = "STRIP", _foreign(scene, obj)
    props.sound_strip = strips[0].name  # this removes the old marks
    if len(strips) > 1:
        props.sound_strip_id = mark_strips(scene, strips)


def unlink_strips(scene: Any, obj: Any, strips: list[Any]) -> int:
    """Take these strips of the scene out of the object's voice; the others stay linked. Returns how
    many were in it. ArgumentError, and nothing changes, if none was, or a channel is linked."""
    props = obj.egstalker
    if props.sound_source == "CHANNEL":
        raise ArgumentError(
            f"{obj.name!r} is linked to channel {props.sound_channel}; move the strips to another "
            "channel"
        )
    names = {strip.name for strip in strips}
    linked = linked_strips(scene, obj) if props.sound_source == "STRIP" else []
    kept = [strip for strip in linked if strip.name not in names]
    if len(kept) == len(linked):
        raise ArgumentError(f"no selected strip is linked to {obj.name!r}; select some that are")
    if kept:
        link_strips(scene, obj, kept)
    else:
        props.sound_strip = ""
    return len(linked) - len(kept)


def strip_lines(scene: Any, obj: Any) -> list[tuple[str, str]]:
    """What a panel says of the object's strips, each line with its icon: how many they are, and
    which strips of the same sound drive nobody."""
    try:
        pieces = linked_pieces(scene, obj)
    except (ArgumentError, AudioError):
        return []
    lines = []
    voice = voice_of_pieces(pieces)
    if isinstance(voice, VoiceStrips):
        first, last = math.floor(voice.left), math.ceil(voice.right) - 1
        lines.append((f"{len(voice.windows)} strips, frames {first} to {last}", "LINKED"))
    elif voice.muted:
        lines.append((f"Strip {voice.name!r} is muted", "INFO"))
    others = (other for other in scene.objects if is_avatar(other) and other != obj)
    loose = loose_strips(scene, obj, pieces, others)
    if loose:
        shown = ", ".join(repr(name) for name in loose[:SHOWN])
        more = f" and {len(loose) - SHOWN} more" if len(loose) > SHOWN else ""
        lines.append((f"Of the same sound, driving no head: {shown}{more}", "ERROR"))
    return lines


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
    obj.egstalker.sound_file = stored_path(path)
    obj.egstalker.sound_source = "FILE"


def _target(context: Any) -> Any:
    obj = active_avatar(context)
    if obj is None:
        raise ArgumentError("no avatar is selected; select one")
    return obj


class LinkOperator(Reasoned):
    @classmethod
    def reason(cls, context: Any) -> str:
        obj = active_avatar(context)
        if obj is None:
            return NO_AVATAR
        return LINKED if obj.library is not None else ""


class EGSTALKER_OT_link_sound(LinkOperator, bpy.types.Operator):
    bl_idname = "egstalker.link_sound"
    bl_label = "Link Sound Strip"
    bl_description = "Let a sound strip of the sequencer drive the avatar"
    bl_options = {"REGISTER", "UNDO"}

    strip: StringProperty(name="Strip", description="Name of the strip; empty for the only one")

    def execute(self, context: Any) -> set[str]:
        scene = sequencer_scene(context)
        names = [strip.name for strip in sound_strips(scene)]
        name = self.strip or (names[0] if len(names) == 1 else "")
        try:
            link_strip(scene, _target(context), name)
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class EGSTALKER_OT_link_selected_strips(LinkOperator, bpy.types.Operator):
    bl_idname = "egstalker.link_selected_strips"
    bl_label = "Link Selected Strips"
    bl_description = (
        "Let all selected strips of the sequencer drive the avatar: sounds, films, meta strips, "
        "and scenes that play their sequencer"
    )
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Any) -> set[str]:
        scene = sequencer_scene(context)
        selected = [strip for strip in all_strips(scene) if strip.select]
        try:
            link_strips(scene, _target(context), selected)
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Linked strips: {len(selected)}")
        return {"FINISHED"}


class EGSTALKER_OT_unlink_selected_strips(LinkOperator, bpy.types.Operator):
    bl_idname = "egstalker.unlink_selected_strips"
    bl_label = "Unlink Selected Strips"
    bl_description = "Take the selected strips, such as copies, out of the avatar's voice"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Any) -> set[str]:
        scene = sequencer_scene(context)
        selected = [strip for strip in all_strips(scene) if strip.select]
        try:
            count = unlink_strips(scene, _target(context), selected)
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Unlinked strips: {count}")
        return {"FINISHED"}


class EGSTALKER_OT_link_sound_file(LinkOperator, bpy.types.Operator, ImportHelper):
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

    def execute(self, context: Any) -> set[str]:
        path = Path(bpy.path.abspath(self.filepath))
        try:
            show_sequencer(context)
            scene = sequencer_scene(context)
            link_file(scene, _target(context), path, self.add_strip, self.frame)
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


CLASSES = (
    EGSTALKER_OT_link_sound,
    EGSTALKER_OT_link_selected_strips,
    EGSTALKER_OT_unlink_selected_strips,
    EGSTALKER_OT_link_sound_file,
)


@persistent
def _settle(scene: Any, depsgraph: Any) -> None:
    if scene.sequence_editor and depsgraph.id_type_updated("SCENE"):
        settle_marks(scene, (obj for obj in bpy.data.objects if _listens(scene, obj)))


def _listens(scene: Any, obj: Any) -> bool:
    """True if the scene's sequencer drives the object."""
    if not is_avatar(obj):
        return False
    name = obj.egstalker.sound_scene
    return name == scene.name if name else scene in obj.users_scene


_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def register() -> None:
    _register_classes()
    bpy.app.handlers.depsgraph_update_post.append(_settle)


def unregister() -> None:
    bpy.app.handlers.depsgraph_update_post.remove(_settle)
    _unregister_classes()
