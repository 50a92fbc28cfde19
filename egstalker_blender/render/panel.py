"""The section *Render*: what Blender's own render (F12) shows of the head, and why."""

from __future__ import annotations

from typing import Any

import bpy

from ..panels.headers import ObjectPart, SidebarPart
from ..panels.labels import draw_text, translated
from ..properties import active_avatar
from . import layer_tree, native, shadow
from .failure import failure
from .layer_frames import STEREO
from .layer_operators import EGSTALKER_OT_add_render_layer, EGSTALKER_OT_remove_render_layer
from .material import SETTINGS, EGSTALKER_OT_add_material, material_of, settings_of
from .native_group import modifier_of
from .native_operators import EGSTALKER_OT_make_renderable, EGSTALKER_OT_remove_renderable


def state_line(scene: Any, obj: Any) -> tuple[str, str]:
    """What F12 shows of this avatar, in one line, and its icon."""
    layer = layer_tree.node_of(scene) is not None
    if not layer and native.cloud_of(obj) is None:
        return "Off: F12 does not show this head", "INFO"
    if failure():
        return f"Last render: {failure()}", "ERROR"
    if obj.hide_render:
        return "Off: the head is hidden in renders", "INFO"
    if layer:
        return _layer_line(scene)
    if not native.is_rendered(obj):
        return "Off: its modifier is disabled in renders", "INFO"
    return "Native: F12 shows this head as Gaussian splats", "CHECKMARK"


def _layer_line(scene: Any) -> tuple[str, str]:
    problem = layer_tree.off_because(scene)
    if problem:
        return f"Off: {problem}", "INFO"
    if scene.render.use_multiview:
        return f"F12 stops: {STEREO}", "ERROR"
    if scene.camera is None or scene.camera.type != "CAMERA":
        return "F12 stops: the scene has no camera", "ERROR"
    return "Layer: F12 shows this head as a bake does", "CHECKMARK"


def draw_render(layout: Any, context: Any, obj: Any) -> None:
    scene = context.scene
    text, icon = state_line(scene, obj)
    draw_text(layout, context, translated(text), icon)
    if layer_tree.node_of(scene) is not None:
        _draw_lock(layout, scene)
        if shadow.missing(scene):
            layout.operator(EGSTALKER_OT_add_render_layer.bl_idname, text="Add Shadow Meshes")
        layout.operator(EGSTALKER_OT_remove_render_layer.bl_idname, icon="X")
        return
    data = native.cloud_of(obj)
    if data is not None:
        _draw_native(layout, scene, obj, data)
    elif native.SUPPORTED:
        layout.operator(EGSTALKER_OT_make_renderable.bl_idname, icon="RENDER_STILL")
    layout.operator(EGSTALKER_OT_add_render_layer.bl_idname, icon="RENDERLAYERS")


def _draw_native(layout: Any, scene: Any, obj: Any, data: Any) -> None:
    modifier = modifier_of(obj)
    col = layout.column(heading="Show In")
    col.prop(modifier, "show_render", text="Renders")
    col.prop(modifier, "show_viewport", text="Rendered and Material Views")
    _draw_lock(layout, scene)
    _draw_material(layout, material_of(data))
    layout.operator(EGSTALKER_OT_remove_renderable.bl_idname, icon="X")


def _draw_lock(layout: Any, scene: Any) -> None:
    if not scene.render.use_lock_interface:
        layout.prop(scene.render, "use_lock_interface")


def _draw_material(layout: Any, material: Any) -> None:
    settings = settings_of(material)
    if not settings:
        layout.operator(EGSTALKER_OT_add_material.bl_idname, icon="MATERIAL")
        return
    col = layout.column()
    for socket in settings:
        slider = socket.name == SETTINGS[-1]
        col.prop(socket, "default_value", text=socket.name, slider=slider)


class EGSTALKER_PT_render(SidebarPart, bpy.types.Panel):
    bl_label = "Render"
    bl_order = 80  # before layer and bake

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        draw_render(layout, context, active_avatar(context))


class EGSTALKER_PT_object_render(ObjectPart, bpy.types.Panel):
    bl_label = "Render"

    def draw_part(self, layout: Any, context: Any, obj: Any) -> None:
        layout.use_property_decorate = False  # a modifier's switches are keyed in its own panel
        draw_render(layout, context, obj)


CLASSES = (EGSTALKER_PT_render, EGSTALKER_PT_object_render)
register, unregister = bpy.utils.register_classes_factory(CLASSES)
