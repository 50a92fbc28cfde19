"""Parts of panels that the sidebar and the properties of the object share."""

from __future__ import annotations

from typing import Any

import bpy

from ...core.errors import EgsError
from ..avatars.relink import EGSTALKER_OT_accept_avatar, EGSTALKER_OT_find_avatar, state_of
from ..avatars.training_camera import EGSTALKER_OT_add_training_camera
from ..bake import EGSTALKER_OT_bake, EGSTALKER_OT_bake_all, blocker
from ..film.operators import EGSTALKER_OT_bake_video
from ..film.plan import no_ffmpeg
from ..properties import avatars_in
from ..reasoned import LINKED
from ..sound.link import (
    EGSTALKER_OT_link_selected_strips,
    EGSTALKER_OT_link_sound,
    EGSTALKER_OT_link_sound_file,
    EGSTALKER_OT_unlink_selected_strips,
    strip_lines,
)
from ..sound.scenes import scene_driving
from ..timeline.operators import EGSTALKER_OT_clear_cache
from ..timeline.status import status_line
from .labels import draw_text, translated

CHANGED = "The avatar file has changed since it was imported"
MISSING = "The avatar file is not there"


def draw_file(layout: Any, context: Any, obj: Any) -> None:
    """The avatar's file, and what to do if it was moved or changed."""
    row = layout.row(align=True)
    row.prop(obj.egstalker, "avatar_path")
    row.operator(EGSTALKER_OT_find_avatar.bl_idname, text="", icon="VIEWZOOM")
    if obj.library is not None:
        draw_text(layout, context, translated(LINKED), "LINKED")
    state = state_of(obj)
    if state == "ok":
        return
    box = layout.box()
    draw_text(box, context, translated(MISSING if state == "missing" else CHANGED), "ERROR")
    row = box.row(align=True)
    row.operator(EGSTALKER_OT_find_avatar.bl_idname, text="Find...")
    if state == "changed":
        row.operator(EGSTALKER_OT_accept_avatar.bl_idname, text="Accept")


def draw_status(layout: Any, context: Any, obj: Any) -> None:
    """One line: problem, engine, device, cache, out of date."""
    row = layout.row(align=True)
    draw_text(row.column(), context, status_line(context, obj), "SYSTEM")
    row.operator(EGSTALKER_OT_clear_cache.bl_idname, text="", icon="TRASH")


def draw_sound(layout: Any, context: Any, obj: Any) -> None:
    props = obj.egstalker
    row = layout.row()
    row.use_property_split = False  # three names need the width of the sidebar
    row.prop(props, "sound_source", expand=True)
    if props.sound_source == "FILE":
        layout.prop(props, "sound_file")
    else:
        _draw_strips(layout, context, obj)
    layout.prop(props, "audio_offset")
    row = layout.row(align=True)
    row.operator(EGSTALKER_OT_link_sound_file.bl_idname, text="Add Sound...", icon="ADD")
    row.operator(EGSTALKER_OT_link_sound.bl_idname, text="Link Only Strip", icon="LINKED")
    row = layout.row(align=True)
    row.operator(EGSTALKER_OT_link_selected_strips.bl_idname, icon="RESTRICT_SELECT_OFF")
    row.operator(EGSTALKER_OT_unlink_selected_strips.bl_idname, text="", icon="UNLINKED")


def _draw_strips(layout: Any, context: Any, obj: Any) -> None:
    props = obj.egstalker
    if props.sound_scene or len(bpy.data.scenes) > 1:
        layout.prop_search(props, "sound_scene", bpy.data, "scenes")
    try:
        editor = scene_driving(context.scene, obj).sequence_editor
    except EgsError as error:
        draw_text(layout, context, str(error), "ERROR")
        return
    if not editor:
        draw_text(layout, context, translated("The sequencer has no strips; add a sound"), "INFO")
        return
    if props.sound_source == "CHANNEL":
        layout.prop(props, "sound_channel")
    else:
        layout.prop_search(props, "sound_strip", editor, "strips_all", icon="SOUND")
    for text, icon in strip_lines(context.scene, obj):
        draw_text(layout, context, text, icon)


def draw_display(layout: Any, obj: Any) -> None:
    """Settings of the viewport, which do not affect bakes."""
    display = obj.egstalker_display
    layout.prop(display, "mode")
    col = layout.column()
    col.active = display.mode == "SPLATS"
    col.prop(display, "sh_degree", text="SH Degree")
    if display.mode == "MOTION":
        layout.prop(display, "motion_range")


def draw_bake(layout: Any, context: Any, obj: Any) -> None:
    """Settings of a bake."""
    props = obj.egstalker
    col = layout.column()
    col.prop(props, "camera_source")
    row = col.row()
    row.active = props.camera_source == "training"
    row.prop(props, "use_plate")
    row = col.row()
    row.active = props.camera_source == "scene"
    row.prop(props, "use_meshes")
    col.operator(EGSTALKER_OT_add_training_camera.bl_idname, icon="CAMERA_DATA")
    col = layout.column()
    col.prop(props, "size_source")
    if props.size_source == "OWN":
        col.prop(props, "width")
        col.prop(props, "height")
    col.prop(props, "range_source")
    if props.range_source == "OWN":
        col.prop(props, "frame_start")
        col.prop(props, "frame_end")
    col = layout.column(heading="Motion Blur")
    row = col.row()
    row.prop(props, "use_motion_blur", text="")
    samples = row.row()
    samples.active = props.use_motion_blur
    samples.prop(props, "motion_blur_samples", text="Samples")
    col = layout.column()
    col.prop(props, "file_format")
    col.prop(props, "output_path")
    col.prop(props, "file_stem")
    col = layout.column(heading="Existing Files")
    row = col.row()
    row.prop(props, "use_resume")
    overwrite = row.row()
    overwrite.active = props.use_resume
    overwrite.prop(props, "use_overwrite")


def draw_bake_button(layout: Any, context: Any) -> None:
    reason = blocker(context)
    if reason:
        draw_text(layout, context, reason, "ERROR")
    layout.operator(EGSTALKER_OT_bake.bl_idname, icon="RENDER_ANIMATION")
    if len(avatars_in(context.scene)) > 1:
        layout.operator(EGSTALKER_OT_bake_all.bl_idname, icon="RENDER_ANIMATION")


def draw_video(layout: Any, context: Any, obj: Any) -> None:
    """Settings of a film, and its button."""
    props = obj.egstalker
    reason = no_ffmpeg()
    if reason:
        draw_text(layout, context, translated(reason), "INFO")
        return
    col = layout.column()
    col.prop(props, "video_format")
    col.prop(props, "video_path")
    col.prop(props, "keep_frames")
    layout.operator(EGSTALKER_OT_bake_video.bl_idname, icon="FILE_MOVIE")
