"""The controls of an avatar that an animator keys: eyes, head, mouth, look."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty

from ..core.avatar.blinks import MAX_DURATION, MAX_PER_MINUTE

OVERRIDABLE = {"LIBRARY_OVERRIDABLE"}
FIXED: set[str] = set()  # options of a choice that is made once: not animatable

EYE_ITEMS = (
    ("TRACK", "Training", "The eyes close as they did in training"),
    ("BLINK", "Blinks", "The eyes blink by themselves, as often as you say"),
    ("MANUAL", "Manual", "The eyes follow the value of Eye Closure, which may be keyed"),
)
POSE_ITEMS = (
    ("track", "Track", "The head moves as it did in training"),
    ("still", "Still", "The head keeps the pose of the training camera"),
    ("object", "Follow Object", "The head turns as an object does"),
)


def touched(props: Any, _context: Any) -> None:
    """Blender itself evaluates nothing anew for a property that an add-on defines."""
    props.id_data.update_tag()


def _not_itself(props: Any, obj: Any) -> bool:
    return bool(obj != props.id_data)


class AvatarControls:
    """Part of EGSTALKER_PG_avatar. Numbers are animatable; sources are chosen once."""

    eye_source: EnumProperty(
        name="Eyes",
        description="What closes the eyes",
        items=EYE_ITEMS,
        options=FIXED,
        override=OVERRIDABLE,
        update=touched,
    )
    eye_closure: FloatProperty(
        name="Eye Closure",
        description=(
            "How far the eyes are closed: 0 open, 1 shut. Shows as far as the avatar has learnt to "
            "blink"
        ),
        default=0.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        override=OVERRIDABLE,
        update=touched,
    )
    blink_seed: IntProperty(
        name="Seed",
        description="Another number gives other moments to blink at",
        default=0,
        min=0,
        options=FIXED,
        override=OVERRIDABLE,
        update=touched,
    )
    blink_rate: FloatProperty(
        name="Blinks per Minute",
        description="How often the eyes blink, on average; people do it 10 to 20 times",
        default=15.0,
        min=0.0,
        soft_max=30.0,
        max=MAX_PER_MINUTE,
        step=100,
        precision=1,
        override=OVERRIDABLE,
        update=touched,
    )
    blink_duration: FloatProperty(
        name="Blink Duration",
        description="Seconds from open to open; the lids fall faster than they rise",
        default=0.3,
        min=0.05,
        soft_max=0.5,
        max=MAX_DURATION,
        step=1,
        precision=2,
        subtype="TIME_ABSOLUTE",
        unit="TIME_ABSOLUTE",
        override=OVERRIDABLE,
        update=touched,
    )
    pose_source: EnumProperty(
        name="Pose",
        description=(
            "The head pose that the network hears of. The training camera shows it; the view of "
            "the scene's camera stays where it is"
        ),
        items=POSE_ITEMS,
        options=FIXED,
        override=OVERRIDABLE,
        update=touched,
    )
    pose_object: PointerProperty(
        name="Object",
        description=(
            "The head turns as this object is turned against the avatar; at the same rotation it "
            "keeps the still pose. It goes no farther than the head did in training"
        ),
        type=bpy.types.Object,
        poll=_not_itself,
        override=OVERRIDABLE,
        update=touched,
    )
    pose_use_location: BoolProperty(
        name="Follow Location",
        description=(
            "The head also moves as the object is moved from the avatar's origin, no farther than "
            "in training, which is a few millimetres for most avatars"
        ),
        default=False,
        options=FIXED,
        override=OVERRIDABLE,
        update=touched,
    )
    strength: FloatProperty(
        name="Expression Strength",
        description="How much of the learnt movement is applied: 0 a mask, 1 as trained",
        default=1.0,
        min=0.0,
        soft_max=1.5,
        max=10.0,
        subtype="FACTOR",
        override=OVERRIDABLE,
        update=touched,
    )
    mouth_gain: FloatProperty(
        name="Mouth Gain",
        description=(
            "How much the voice moves the mouth: 0 as in silence, 1 as trained. Far above 1 the "
            "mouth breaks up"
        ),
        default=1.0,
        min=0.0,
        soft_max=1.5,
        max=3.0,
        subtype="FACTOR",
        override=OVERRIDABLE,
        update=touched,
    )
    audio_offset: FloatProperty(
        name="Audio Offset",
        description="Seconds by which the mouth comes after the sound",
        soft_min=-1.0,
        soft_max=1.0,
        step=1,
        precision=3,
        subtype="TIME_ABSOLUTE",
        unit="TIME_ABSOLUTE",
        override=OVERRIDABLE,
        update=touched,
    )
    opacity: FloatProperty(
        name="Opacity",
        description=(
            "Of every Gaussian: 0 is invisible, 1 as trained. Many lie behind each other, so that "
            "the head fades late"
        ),
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        override=OVERRIDABLE,
        update=touched,
    )
    colour_gain: FloatProperty(
        name="Color Gain",
        description="Factor of the head's colors as they are stored (sRGB): 0 black, 1 as trained",
        default=1.0,
        min=0.0,
        soft_max=2.0,
        max=10.0,
        override=OVERRIDABLE,
        update=touched,
    )
    approximate: BoolProperty(
        name="Approximate",
        description=(
            "Hold still what the voice hardly moves: less to compute for each frame on a "
            "processor, and pictures that are not quite exact. On a GPU nothing changes"
        ),
        default=False,
        options=FIXED,
        override=OVERRIDABLE,
        update=touched,
    )
