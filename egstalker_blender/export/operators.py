"""Exporters of the talking head as Gaussian splats: each a file browser with options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ExportHelper

from ...core.errors import EgsError
from .. import engines
from ..bake import head_blocker
from ..gather import NOTHING
from ..paths import absolute
from ..placed import active_place
from ..properties import active_avatar
from ..reasoned import NO_AVATAR, Reasoned
from ..stepped import Stepped
from ..timeline import timer
from .gather import Choice, Ready, export_steps, read, scene_range, size_line

RANGE_ITEMS = (
    ("SCENE", "Scene", "The scene's frame range and step"),
    ("SOUND", "Sound", "As long as the sound lasts"),
    ("OWN", "Custom", "First and last frame below"),
)
DEGREE = IntProperty(
    name="SH Degree",
    description="Spherical harmonics: 3 as trained; 0 for colours that do not depend on the view, "
    "in a quarter of the space",
    default=3,
    min=0,
    max=3,
)


class ExportSplats(Reasoned, Stepped, ExportHelper):
    """Mixin of an exporter. kind: one of SPLAT_FORMATS."""

    bl_options = {"REGISTER", "PRESET"}
    kind, stopped = "", "Export stopped"

    sh_degree: DEGREE

    _interactive = False  # a script waits for the result, a user does not

    @classmethod
    def reason(cls, context: Any) -> str:
        obj = active_avatar(context)
        return head_blocker(context.scene, obj) if obj is not None else NO_AVATAR

    def frames(self, scene: Any) -> tuple[int, ...] | None:
        """None for the whole sound."""
        raise NotImplementedError

    def draw_frames(self, layout: Any) -> None:
        raise NotImplementedError

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        self.draw_frames(layout.column())
        layout.prop(self, "sh_degree")
        layout.label(text=self.size_line(context), icon="DISK_DRIVE", translate=False)

    def size_line(self, context: Any) -> str:
        """What will be written, before it is."""
        obj, frames = active_avatar(context), self.frames(context.scene)
        count = len(obj.data.vertices) if obj else 0
        return size_line(self.kind, count, self.sh_degree, None if frames is None else len(frames))

    def invoke(self, context: Any, event: Any) -> set[str]:
        self._interactive = True
        if not self.filepath:  # type: ignore[has-type]
            folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path()
            name = bpy.path.clean_name(active_avatar(context).name)
            self.filepath = str(folder / f"{name}{self.filename_ext}")
        return ExportHelper.invoke(self, context, event)

    def execute(self, context: Any) -> set[str]:
        try:
            ready = self._read(context)
            steps = export_steps(engines.engine_for(), ready)
            if self._interactive:
                return self.begin(context, steps, ready.total)
            for _ in steps:
                pass
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, self.finished_text())
        return {"FINISHED"}

    def _read(self, context: Any) -> Ready:
        placed, service = active_place(context), timer.service()
        assert placed is not None  # see reason
        obj = placed.obj
        path = absolute(bpy.path.ensure_ext(self.filepath, self.filename_ext))
        choice = Choice(path, self.kind, self.frames(context.scene), self.sh_degree)
        known = service.loaded(context.scene, obj) if service else NOTHING
        return read(context, obj, choice, known, placed.instance)

    def finished_text(self) -> str:
        return f"Exported {self.filepath}"


class Animation(ExportSplats):
    """A range of frames."""

    range_source: EnumProperty(name="Frames", description="Frames to write", items=RANGE_ITEMS)
    frame_start: IntProperty(name="Start", description="First frame", default=1, min=0)
    frame_end: IntProperty(name="End", description="Last frame", default=250, min=0)
    frame_step: IntProperty(name="Step", description="Write each Nth frame", default=1, min=1)

    def frames(self, scene: Any) -> tuple[int, ...] | None:
        if self.range_source == "SOUND":
            return None
        if self.range_source == "SCENE":
            return scene_range(scene)
        return tuple(range(self.frame_start, self.frame_end + 1, self.frame_step))

    def draw_frames(self, layout: Any) -> None:
        layout.prop(self, "range_source")
        if self.range_source == "OWN":
            for name in ("frame_start", "frame_end", "frame_step"):
                layout.prop(self, name)


class Still(ExportSplats):
    """The scene's current frame."""

    def frames(self, scene: Any) -> tuple[int, ...] | None:
        return (scene.frame_current,)

    def draw_frames(self, layout: Any) -> None:
        layout.label(text="The current frame")


class EGSTALKER_OT_export_usdc(Animation, bpy.types.Operator):
    bl_idname = "egstalker.export_usdc"
    bl_label = "Export Splats (.usdc)"
    bl_description = (
        "Write the talking head as one animated USD file of Gaussian splats, which Blender 5.3 "
        "plays without this extension"
    )

    kind = "usdc"
    filename_ext = ".usdc"
    filter_glob: StringProperty(default="*.usdc", options={"HIDDEN"})


class EGSTALKER_OT_export_ply(Animation, bpy.types.Operator):
    bl_idname = "egstalker.export_ply"
    bl_label = "Export Splats (.ply)"
    bl_description = (
        "Write the talking head as numbered PLY files of Gaussian splats. Frames that are there "
        "already, with the same content, are skipped"
    )

    kind = "ply"
    stopped = "Export stopped; finished files are kept"
    filename_ext = ".ply"
    check_existing: BoolProperty(default=False, options={"HIDDEN"})
    filter_glob: StringProperty(default="*.ply", options={"HIDDEN"})


class EGSTALKER_OT_export_glb(Still, bpy.types.Operator):
    bl_idname = "egstalker.export_glb"
    bl_label = "Export Splats (.glb)"
    bl_description = "Write the head at the current frame as a glTF file of Gaussian splats"

    kind = "glb"
    filename_ext = ".glb"
    filter_glob: StringProperty(default="*.glb", options={"HIDDEN"})


class EGSTALKER_OT_export_spz(Still, bpy.types.Operator):
    bl_idname = "egstalker.export_spz"
    bl_label = "Export Splats (.spz)"
    bl_description = (
        "Write the head at the current frame as an SPZ file: splats in a tenth of the space"
    )

    kind = "spz"
    filename_ext = ".spz"
    filter_glob: StringProperty(default="*.spz", options={"HIDDEN"})


# Exporter -> its text in a menu.
EXPORTERS = {
    EGSTALKER_OT_export_usdc: "Animation (.usdc)",
    EGSTALKER_OT_export_ply: "Sequence (.ply)",
    EGSTALKER_OT_export_glb: "Frame (.glb)",
    EGSTALKER_OT_export_spz: "Frame (.spz)",
}
register, unregister = bpy.utils.register_classes_factory(tuple(EXPORTERS))
