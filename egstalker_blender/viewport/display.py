"""Settings of how an avatar is drawn in the viewport. They do not affect bakes."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, FloatProperty, IntProperty

MAX_SH_DEGREE = 3
OVERRIDABLE = {"LIBRARY_OVERRIDABLE"}

# The numbers are used by the shader (shaders.py) and saved in the .blend.
MODE_ITEMS = (
    ("SPLATS", "Splats", "The head as a bake shows it", "SHADING_RENDERED", 0),
    ("POINTS", "Points", "A dot at the centre of each Gaussian", "OUTLINER_DATA_POINTCLOUD", 1),
    ("MOTION", "Motion", "Movement of each Gaussian, blue (none) to red", "ORIENTATION_NORMAL", 2),
    ("BOUNDS", "Bounds", "Only the bounding box of the head, which is fast", "SHADING_BBOX", 3),
)
MODES = {item[0]: item[4] for item in MODE_ITEMS}


class EGSTALKER_PG_display(bpy.types.PropertyGroup):
    mode: EnumProperty(
        name="Display",
        description="How the head is drawn in the viewport",
        items=MODE_ITEMS,
        default="SPLATS",
        override=OVERRIDABLE,
    )
    sh_degree: IntProperty(
        name="View Dependence",
        description=(
            "Degree of the spherical harmonics in the viewport: 0 gives the same colour from all "
            "sides, 3 the colours of a bake"
        ),
        default=MAX_SH_DEGREE,
        min=0,
        max=MAX_SH_DEGREE,
        override=OVERRIDABLE,
    )
    motion_range: FloatProperty(
        name="Full Motion",
        description="Distance, at the avatar's own size, that is drawn in full red",
        default=0.005,
        min=0.0001,
        soft_max=0.05,
        precision=4,
        subtype="DISTANCE",
        unit="LENGTH",
        override=OVERRIDABLE,
    )


_register_class, _unregister_class = bpy.utils.register_classes_factory((EGSTALKER_PG_display,))


def register() -> None:
    _register_class()
    bpy.types.Object.egstalker_display = bpy.props.PointerProperty(
        type=EGSTALKER_PG_display, name="EGSTalker Display", override=OVERRIDABLE
    )


def unregister() -> None:
    del bpy.types.Object.egstalker_display
    _unregister_class()
