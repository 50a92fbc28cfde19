"""The controls of an avatar that an animator keys: eyes, head, mouth, appearance."""

from __future__ import annotations

from math import radians
from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ..core.avatar.blinks import MAX_DURATION, MAX_PER_MINUTE
from ..core.avatar.turning import FARTHEST, MOST_NOD, PITCH, ROLL, YAW

OVERRIDABLE = {"LIBRARY_OVERRIDABLE"}
FIXED: set[str] = set()  # options of a choice that is made once, so it is not animatable

EYE_ITEMS = (
    ("TRACK", "Training", "The eyes close as they did in training"),
    ("BLINK", "Blinks", "The eyes blink at random moments, at the rate that you set"),
    ("MANUAL", "Manual", "The eyes follow Eye Closure, which can be animated"),
)
LANDMARK_ITEMS = (
    ("brow", "Brow", "Between the brows", 1),
    ("bridge", "Bridge", "Bridge of the nose, where glasses sit", 2),
    ("nose", "Nose", "Tip of the nose", 4),
    ("chin", "Chin", "Tip of the chin", 8),
    ("ear_left", "Left Ear", "In front of the head's own left ear", 16),
    ("ear_right", "Right Ear", "In front of the head's own right ear", 32),
)
POSE_ITEMS = (
    ("track", "Track", "The head moves as it did in training"),
    ("still", "Still", "The head keeps the pose of the training camera"),
    ("keys", "Keys", "The head turns by the angles Yaw, Pitch and Roll, which can be animated"),
    ("object", "Follow", "The head turns with an object or a bone"),
)


def touched(props: Any, _context: Any) -> None:
    """Blender does not update the scene by itself when a property of an add-on changes."""
    props.id_data.update_tag()


def _angle(name: str, description: str, soft: float) -> Any:
    """soft: degrees either way for which a bust is made."""
    return FloatProperty(
        name=name,
        description=f"{description}. A bust is made for {soft:g}\u00b0 either way",
        soft_min=-radians(soft),
        soft_max=radians(soft),
        min=-radians(FARTHEST),
        max=radians(FARTHEST),
        step=100,
        precision=2,
        subtype="ANGLE",
        unit="ROTATION",
        override=OVERRIDABLE,
        update=touched,
    )


def _not_itself(props: Any, obj: Any) -> bool:
    return bool(obj != props.id_data)


class AvatarControls:
    """Part of EGSTALKER_PG_avatar. Numbers are animatable; sources are chosen once."""

    eye_source: EnumProperty(
        name="Eyes",
        description="What controls the eyes",
        items=EYE_ITEMS,
        options=FIXED,
        override=OVERRIDABLE,
        update=touched,
    )
    eye_closure: FloatProperty(
        name="Eye Closure",
        description=(
            "How far the eyes are closed: 0 open, 1 shut. The less the avatar blinked in training, "
            "the less they close"
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
        description="Seed of the random moments of the blinks",
        default=0,
        min=0,
        options=FIXED,
        override=OVERRIDABLE,
        update=touched,
    )
    blink_rate: FloatProperty(
        name="Blinks per Minute",
        description="Average number of blinks per minute; 10 to 20 is natural",
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
        description="Seconds from open to open; the lids close faster than they open",
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
            "How the head turns. The network receives this pose, too. A bust turns on its body. A "
            "head alone turns in the training camera; in the scene it turns by Keys and else keeps "
            "its place"
        ),
        items=POSE_ITEMS,
        options=FIXED,
        override=OVERRIDABLE,
        update=touched,
    )
    yaw: _angle("Yaw", "Turn of the head; positive to its own left", YAW)
    pitch: _angle("Pitch", "Nod of the head; positive lowers the chin", PITCH)
    roll: _angle("Roll", "Tilt of the head; positive lowers the left ear", ROLL)
    nod: FloatProperty(
        name="Nod",
        description=(
            "How much of the training track's movement is added to the angles: 0 none, 1 as trained"
        ),
        default=0.0,
        min=0.0,
        soft_max=1.0,
        max=MOST_NOD,
        subtype="FACTOR",
        override=OVERRIDABLE,
        update=touched,
    )
    pose_object: PointerProperty(
        name="Object",
        description=(
            "The head turns with this object, relative to the avatar; at equal rotations it keeps "
            "the Still pose. It turns no farther than the head did in training, a bust at least "
            "25\u00b0 sideways and 15\u00b0 otherwise"
        ),
        type=bpy.types.Object,
        poll=_not_itself,
        override=OVERRIDABLE,
        update=touched,
    )
    pose_bone: StringProperty(
        name="Bone",
        description=(
            "Bone of the armature that the head turns with, as far as the bone is turned from its "
            "rest pose. Empty: the object as a whole"
        ),
        override=OVERRIDABLE,
        update=touched,
    )
    pose_use_location: BoolProperty(
        name="Follow Location",
        description=(
            "The head also moves with the object, relative to the avatar's origin, instead of "
            "turning about its neck. It moves no farther than the head did in training: a few "
            "millimeters for most avatars; a bust 4 cm"
        ),
        default=False,
        options=FIXED,
        override=OVERRIDABLE,
        update=touched,
    )
    landmarks: EnumProperty(
        name="Landmarks",
        description="Places on the face for which empties are added, to attach things to",
        items=LANDMARK_ITEMS,
        default={"bridge", "ear_left", "ear_right"},
        options={"ENUM_FLAG"},
        override=OVERRIDABLE,
    )
    strength: FloatProperty(
        name="Expression Strength",
        description="Strength of the learned movement: 0 a rigid face, 1 as trained",
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
        description="Delay of the mouth after the sound, in seconds",
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
            "Opacity of every Gaussian: 0 invisible, 1 as trained. Gaussians overlap, so the head "
            "fades mostly near 0"
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
        description="Brightness factor of the head's sRGB colors: 0 black, 1 as trained",
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
            "Freeze the Gaussians that barely move: faster on a CPU, and not quite exact. On a GPU "
            "nothing changes"
        ),
        default=False,
        options=FIXED,
        override=OVERRIDABLE,
        update=touched,
    )
