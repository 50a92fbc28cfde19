"""*Write Farm Job*: the bakes of the scene as a job bundle, or the job type of Flamenco."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty

from ...core.errors import ArgumentError, EgsError
from ...core.farm.frames import CHUNK
from ...core.system.files import write_atomic
from ..bake import blocker_of_all
from ..paths import absolute
from ..placed import rendered_places
from ..preferences import ENGINE_ITEMS
from ..reasoned import Reasoned

FOLDER = Path(__file__).parent
JOB_TYPE = FOLDER / "egstalker_bake.js"  # of Flamenco


class EGSTALKER_OT_write_farm_job(Reasoned, bpy.types.Operator):
    bl_idname = "egstalker.write_farm_job"
    bl_label = "Write Farm Job"
    bl_description = (
        "Write the bakes of all heads that are not disabled in renders as a job bundle of Open Job "
        "Description, which AWS Deadline Cloud and `openjd run` take"
    )

    BATCH = str(FOLDER.with_name("batch.py"))  # the job type of Flamenco reads it

    directory: StringProperty(
        name="Bundle", description="Folder of the job's files", subtype="DIR_PATH"
    )
    output: StringProperty(
        name="Output",
        description="Folder of the pictures, on a drive that every node sees. Where there are "
        "several heads, each writes into a folder of its own in it",
        default="//frames/",
        subtype="DIR_PATH",
    )
    chunk: IntProperty(
        name="Chunk Size", description="Frames of one task", default=CHUNK, min=1, soft_max=10_000
    )
    engine: EnumProperty(
        name="Engine", description="Engine that computes the frames", items=ENGINE_ITEMS
    )

    @classmethod
    def reason(cls, context: Any) -> str:
        if not bpy.data.filepath:
            return "Save the .blend; the farm reads the file"
        return blocker_of_all(context.scene)

    def invoke(self, context: Any, _event: Any) -> set[str]:
        self.directory = str(Path(bpy.data.filepath).with_suffix("")) + "_farm"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Any) -> set[str]:
        try:
            folder = self._write(context)
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"The job is in {folder}")
        return {"FINISHED"}

    def _write(self, context: Any) -> Path:
        from ...core.farm.openjd import write_bundle  # not when Blender starts
        from ..requested import settings_in
        from .write import job_of

        if bpy.data.is_dirty and not bpy.app.background:  # a script saves when it wants to
            raise ArgumentError("the .blend has changes that the farm would not see; save it")
        scene, out, folder = context.scene, absolute(self.output), absolute(self.directory)
        heads = rendered_places(scene)
        several = len(heads) > 1
        chosen = [(head, settings_in(out, scene, head, several)) for head in heads]
        write_bundle(folder, job_of(chosen, out, self.chunk, self.engine, several))
        return folder


class EGSTALKER_OT_write_flamenco_job_type(bpy.types.Operator):
    bl_idname = "egstalker.write_flamenco_job_type"
    bl_label = "Write Flamenco Job Type"
    bl_description = (
        "Write the job type that bakes talking heads; put it into the folder `scripts` of the "
        "Flamenco Manager"
    )

    directory: StringProperty(
        name="Folder", description="Folder of the Manager's scripts", subtype="DIR_PATH"
    )

    def invoke(self, context: Any, _event: Any) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, _context: Any) -> set[str]:
        try:
            path = absolute(self.directory) / JOB_TYPE.name
            write_atomic(path, [JOB_TYPE.read_bytes()])
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"The job type is {path}")
        return {"FINISHED"}


CLASSES = (EGSTALKER_OT_write_farm_job, EGSTALKER_OT_write_flamenco_job_type)
register, unregister = bpy.utils.register_classes_factory(CLASSES)
