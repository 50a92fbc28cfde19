"""The properties of an avatar object: saved in the .blend, animatable, overridable."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, PointerProperty, StringProperty

from ..core.errors import ArgumentError
from ..core.records.camera import MAX_SIDE
from . import blocks
from .bake_properties import BakePictures
from .control_properties import OVERRIDABLE, AvatarControls, touched
from .sound import scenes, strips

RELATIVE = {"PATH_SUPPORTS_BLEND_RELATIVE"}  # paths that begin with // are relative to the .blend

SOUND_ITEMS = (
    ("STRIP", "Strip", "A sound strip in this scene's sequencer, as it is trimmed and placed"),
    ("FILE", "File", "A sound file; it starts at frame 1"),
    ("CHANNEL", "Channel", "All strips on a channel of this scene's sequencer"),
)
CAMERA_ITEMS = (
    ("training", "Training", "The camera that the avatar was filmed with"),
    ("scene", "Scene", "The scene's camera and the object's place in the scene"),
)
SIZE_ITEMS = (
    ("CAMERA", "Camera", "The training camera's own size, or the scene's render size"),
    ("OWN", "Custom", "Width and height below"),
)
RANGE_ITEMS = (
    ("SCENE", "Scene", "The scene's frame range"),
    ("SOUND", "Sound", "As long as the sound lasts"),
    ("OWN", "Custom", "First and last frame below"),
)
VIDEO_ITEMS = (
    ("mp4", "MP4", "H.264 and AAC; a transparent head stands before black"),
    ("webm", "WebM", "VP9 and Opus; keeps the transparency of the Scene camera"),
)
FORMAT_ITEMS = (
    ("png", "PNG", "8 bit, sRGB, straight alpha"),
    ("exr", "OpenEXR", "Half float, scene-linear, premultiplied alpha"),
    (
        "exr-multilayer",
        "OpenEXR MultiLayer",
        "The same with depth and the matte of the head, for compositing",
    ),
)


def _strip_chosen(props: Any, context: Any) -> None:
    if strips.settling:
        return
    try:
        scene = scenes.scene_driving(context.scene, props.id_data)
    except ArgumentError:  # the panel shows it
        return
    old = props.sound_strip_id
    shared = sum(obj.egstalker.sound_strip_id == old for obj in bpy.data.objects) > 1
    props.sound_strip_id = strips.mark(scene, props.sound_strip, "" if shared else old)
    touched(props, context)


class EGSTALKER_PG_avatar(AvatarControls, BakePictures, bpy.types.PropertyGroup):
    avatar_block: PointerProperty(
        name="Avatar Data-Block",
        description="The data-block that names, and may contain, the avatar file",
        type=bpy.types.Volume,
        options={"HIDDEN"},
        override=OVERRIDABLE,
        update=touched,
    )
    avatar_path: StringProperty(
        name="Avatar",
        description="The avatar file (.egs)",
        subtype="FILE_PATH",
        options=RELATIVE,
        get=blocks.getter("avatar_block"),
        set=blocks.setter("avatar_block"),
    )
    content_hash: StringProperty(
        name="Content Hash",
        description="SHA-256 of the avatar file when it was imported",
        override=OVERRIDABLE,
        update=touched,
    )
    sound_source: EnumProperty(
        name="Sound",
        description="Source of the voice",
        items=SOUND_ITEMS,
        override=OVERRIDABLE,
        update=touched,
    )
    sound_scene: StringProperty(
        name="Scene",
        description="Scene whose sequencer drives the head. Empty: the head's own",
        override=OVERRIDABLE,
        update=_strip_chosen,
    )
    sound_strip: StringProperty(
        name="Strip",
        description="Name of the strip that drives the head: a sound, a film, a meta strip or a "
        "scene. With * and ? in it, all strips of such names",
        update=_strip_chosen,
        override=OVERRIDABLE,
    )
    sound_strip_id: StringProperty(
        name="Strip Id",
        description="Mark that identifies the strip after it was renamed",
        options={"HIDDEN"},
        override=OVERRIDABLE,
        update=touched,
    )
    sound_channel: IntProperty(
        name="Channel",
        description="Channel of the sequencer whose strips drive the head",
        default=1,
        min=1,
        max=128,
        override=OVERRIDABLE,
        update=touched,
    )
    sound_block: PointerProperty(
        name="Sound Data-Block",
        description="The data-block that names, and may contain, the sound file",
        type=bpy.types.Volume,
        options={"HIDDEN"},
        override=OVERRIDABLE,
        update=touched,
    )
    sound_file: StringProperty(
        name="File",
        description="Sound file, or features (.npy), that drives the head",
        subtype="FILE_PATH",
        options=RELATIVE,
        get=blocks.getter("sound_block"),
        set=blocks.setter("sound_block"),
    )
    camera_source: EnumProperty(
        name="Camera",
        description="Camera that the frames are rendered from",
        items=CAMERA_ITEMS,
        override=OVERRIDABLE,
    )
    size_source: EnumProperty(
        name="Size", description="Size of the images", items=SIZE_ITEMS, override=OVERRIDABLE
    )
    width: IntProperty(
        name="Width",
        description="Width of the images",
        default=512,
        min=1,
        max=MAX_SIDE,
        subtype="PIXEL",
        override=OVERRIDABLE,
    )
    height: IntProperty(
        name="Height",
        description="Height of the images",
        default=512,
        min=1,
        max=MAX_SIDE,
        subtype="PIXEL",
        override=OVERRIDABLE,
    )
    range_source: EnumProperty(
        name="Frames", description="Frames to bake", items=RANGE_ITEMS, override=OVERRIDABLE
    )
    frame_start: IntProperty(
        name="Start", description="First frame to bake", default=1, override=OVERRIDABLE
    )
    frame_end: IntProperty(
        name="End", description="Last frame to bake", default=100, override=OVERRIDABLE
    )
    file_format: EnumProperty(
        name="Format", description="File format", items=FORMAT_ITEMS, override=OVERRIDABLE
    )
    output_path: StringProperty(
        name="Output",
        description="Folder that the frames are written to. {object} and {scene} stand for the "
        "names of the head and the scene",
        default="//egstalker/{object}/",
        subtype="DIR_PATH",
        options=RELATIVE,
        override=OVERRIDABLE,
    )
    file_stem: StringProperty(
        name="Name",
        description="Start of every file name; the frame number follows. {object} and {scene} "
        "stand for the names of the head and the scene",
        default="{object}_",
        override=OVERRIDABLE,
    )
    use_resume: BoolProperty(
        name="Resume",
        description="Keep the finished frames in the output folder: those of the same avatar, "
        "sound, controls, camera and format. Frames of this avatar that were made otherwise are "
        "baked again; other files stop the bake before it begins",
        default=False,
        override=OVERRIDABLE,
    )
    use_overwrite: BoolProperty(
        name="Overwrite",
        description="With Resume: replace files that this avatar did not make. Without Resume "
        "every frame is written anyway",
        default=False,
        override=OVERRIDABLE,
    )
    video_format: EnumProperty(
        name="Video", description="Format of the film", items=VIDEO_ITEMS, override=OVERRIDABLE
    )
    video_path: StringProperty(
        name="Film",
        description="File of the film; the format gives its ending. Empty: named after the object, "
        "in the output folder",
        subtype="FILE_PATH",
        options=RELATIVE,
        override=OVERRIDABLE,
    )
    keep_frames: BoolProperty(
        name="Keep Frames",
        description="Keep the pictures of a film in the output folder",
        default=True,
        override=OVERRIDABLE,
    )


def is_avatar(obj: Any) -> bool:
    return obj is not None and obj.egstalker.avatar_block is not None


def instanced_by(obj: Any, around: tuple[Any, ...] = ()) -> list[Any]:
    """The avatars in the collection that an object instances, and in those that it instances in
    turn. around: collections that are being looked through."""
    collection = obj.instance_collection if obj.instance_type == "COLLECTION" else None
    if collection is None or collection in around:
        return []
    found = []
    for inner in collection.all_objects:
        found += [inner] if is_avatar(inner) else instanced_by(inner, (*around, collection))
    return found


def avatars_in(scene: Any) -> list[Any]:
    """All avatars of the scene, instanced ones too, by name."""
    found = {}
    for obj in scene.objects:
        for avatar in [obj] if is_avatar(obj) else instanced_by(obj):
            found[avatar.session_uid] = avatar
    return sorted(found.values(), key=order_of)


def order_of(obj: Any) -> tuple[str, str]:
    """The key by which avatars are listed: name, then library."""
    return obj.name, obj.library.name if obj.library else ""


def active_avatar(context: Any) -> Any:
    """The active object if it is an avatar, or the only avatar that it instances; else the only
    avatar of the scene, else None."""
    active = context.object
    if is_avatar(active):
        return active
    avatars = (instanced_by(active) if active is not None else []) or avatars_in(context.scene)
    return avatars[0] if len(avatars) == 1 else None


_register_class, _unregister_class = bpy.utils.register_classes_factory((EGSTALKER_PG_avatar,))


def register() -> None:
    _register_class()
    bpy.types.Object.egstalker = bpy.props.PointerProperty(
        type=EGSTALKER_PG_avatar, name="EGSTalker", override=OVERRIDABLE
    )


def unregister() -> None:
    del bpy.types.Object.egstalker
    _unregister_class()
