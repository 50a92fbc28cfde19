"""What a baked picture shows besides the head."""

from __future__ import annotations

from bpy.props import BoolProperty, IntProperty

from ..core.records.shutter import MAX_SAMPLES
from .control_properties import OVERRIDABLE


class BakePictures:
    """Part of EGSTALKER_PG_avatar."""

    use_plate: BoolProperty(
        name="Background",
        description="Draw the head over the avatar's background and torso (training camera only)",
        default=True,
        override=OVERRIDABLE,
    )
    use_meshes: BoolProperty(
        name="Hidden by Meshes",
        description="Leave out what meshes of the scene hide of the head (scene camera only), "
        "whatever their material. Turn it off to combine pictures by depth",
        default=True,
        override=OVERRIDABLE,
    )
    use_motion_blur: BoolProperty(
        name="Motion Blur",
        description="Average several moments for each picture, as long as the shutter of the scene "
        "is open (Render Properties > Motion Blur)",
        default=False,
        override=OVERRIDABLE,
    )
    motion_blur_samples: IntProperty(
        name="Samples",
        description="Number of moments that are averaged for a picture. Each takes as long as a "
        "picture without motion blur",
        default=8,
        min=2,
        max=MAX_SAMPLES,
        override=OVERRIDABLE,
    )
