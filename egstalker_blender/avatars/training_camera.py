"""A Blender camera that shows the avatar as its training camera did."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty
from mathutils import Matrix

from ...core.avatar.file import load_avatar
from ...core.errors import EgsError
from ...core.records.camera import Camera
from ..blocks import file_of
from ..camera import lens_of_camera
from ..properties import active_avatar
from ..reasoned import NO_AVATAR, Reasoned


def add_camera(context: Any, obj: Any, camera: Camera, use_in_scene: bool = True) -> Any:
    """Add a camera object parented to the avatar `obj`. With `use_in_scene` it becomes the scene's
    camera, and the scene renders at its size and pixel aspect."""
    lens, local = lens_of_camera(camera)
    data = bpy.data.cameras.new(f"{obj.name} Training Camera")
    for name in ("lens", "sensor_fit", "sensor_width", "sensor_height", "shift_x", "shift_y"):
        setattr(data, name, getattr(lens, name))
    made = bpy.data.objects.new(data.name, data)
    made.parent = obj
    made.matrix_local = Matrix(local)
    context.collection.objects.link(made)
    if use_in_scene:
        context.scene.camera = made
        render = context.scene.render
        render.resolution_x, render.resolution_y = lens.width, lens.height
        render.resolution_percentage = 100
        render.pixel_aspect_x, render.pixel_aspect_y = lens.pixel_aspect
    context.view_layer.update()
    return made


class EGSTALKER_OT_add_training_camera(Reasoned, bpy.types.Operator):
    bl_idname = "egstalker.add_training_camera"
    bl_label = "Add Training Camera"
    bl_description = "Add a camera that shows the avatar as it was filmed"
    bl_options = {"REGISTER", "UNDO"}

    use_in_scene: BoolProperty(
        name="Use in Scene",
        description="Make it the active camera and use its image size for renders",
        default=True,
    )

    @classmethod
    def reason(cls, context: Any) -> str:
        return NO_AVATAR if active_avatar(context) is None else ""

    def execute(self, context: Any) -> set[str]:
        obj = active_avatar(context)
        try:
            camera = load_avatar(file_of(obj.egstalker.avatar_block)).camera
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        add_camera(context, obj, camera, self.use_in_scene)
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory((EGSTALKER_OT_add_training_camera,))
