"""The heads of the frame that Blender renders, drawn by the engine as a bake draws them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...core.errors import ArgumentError
from ...core.images.layers import in_depth_order, nothing
from ...core.records.arrays import Float32
from ...core.records.camera import Camera
from ...core.records.job import RAW, BakeJob, FrameTask, Instant
from ...core.system.leftovers import temporary_folder
from .. import engines
from ..bake import bake_frames
from ..camera import scene_camera
from ..controls.frames import step_to
from ..gather import seen_by_head, shutter_of
from ..meshes import holdouts_before
from ..properties import is_avatar
from ..timeline.heads import Head
from . import origin
from .loaded_heads import LoadedHeads
from .region import Region, region_of

STEREO = "The render layer cannot draw stereo; turn off Output Properties > Stereoscopy"
UNLOCKED = (
    "Motion blur of the render layer steps the scene; turn on Render > Lock Interface, or render "
    "without a window"
)


@dataclass(eq=False)
class Frame:
    """One frame of a scene. number: whole or not. blur: the instants of each avatar while the
    shutter is open, by session_uid; empty for a sharp picture. drawn: the heads so far, by
    session_uid, (H, W, 6) each."""

    number: float
    region: Region
    blur: dict[int, tuple[Instant, ...]] = field(default_factory=dict)
    drawn: dict[int, Float32] = field(default_factory=dict)

    def heads(self) -> Float32:
        """(H, W, 6) of the render's size."""
        if not self.drawn:
            return nothing(*self.region.size)
        return self.region.placed(in_depth_order(list(self.drawn.values())))


class LayerFrames:
    """What one render has loaded."""

    def __init__(self) -> None:
        self._heads = LoadedHeads()

    def begin(self, scene: Any) -> Frame:
        """Call it before Blender evaluates the frame: motion blur steps the scene. EgsError."""
        if scene.render.use_multiview:
            raise ArgumentError(STEREO)
        frame = Frame(float(scene.frame_current_final), region_of(scene))
        if scene.render.use_motion_blur:
            self._read_blur(scene, frame)
        return frame

    def add(self, scene: Any, depsgraph: Any, frame: Frame) -> bool:
        """Draw the heads that `depsgraph`, of one view layer at the frame itself, has evaluated and
        that are not drawn yet. False where there are none. EgsError."""
        new = [obj for obj in avatars_in(depsgraph) if obj.session_uid not in frame.drawn]
        for obj in new:
            head = self._heads.get(scene, depsgraph.view_layer, obj)
            assert head.avatar is not None
            origin.saw(head.avatar)
            own = _instant(scene, depsgraph, head, frame.number, frame.region)
            task = FrameTask(0, own.moment, own.camera, frame.blur.get(obj.session_uid, ()))
            camera = frame.region.camera(_whole(scene, depsgraph, obj, frame.region))
            holdouts = holdouts_before(depsgraph, obj, camera)
            frame.drawn[obj.session_uid] = _picture(head, replace(task, meshes=holdouts))
        return bool(new)

    def _read_blur(self, scene: Any, frame: Frame) -> None:
        here = threading.current_thread() is threading.main_thread()
        if not (here or scene.render.use_lock_interface):
            raise ArgumentError(UNLOCKED)
        before, subframe = scene.frame_current, scene.frame_subframe
        found: dict[int, list[Instant]] = {}
        heads = [self._heads.get(scene, layer, obj) for layer, obj in _rendered(scene)]
        try:
            for head in heads:
                shutter = shutter_of(scene, head.obj.egstalker.motion_blur_samples)
                instants = found.setdefault(head.uid, [])
                for number in shutter.frames(frame.number):
                    step_to(scene, number)
                    depsgraph = head.layer.depsgraph
                    instants.append(_instant(scene, depsgraph, head, number, frame.region))
        finally:
            scene.frame_set(before, subframe=subframe)
        frame.blur = {uid: tuple(instants) for uid, instants in found.items()}


def avatars_in(depsgraph: Any) -> list[Any]:
    """The avatars that the depsgraph shows; not those that others in it merely need."""
    shown = (obj.original for obj in depsgraph.objects if is_avatar(obj))
    return [obj for obj in shown if obj is not None]


def _rendered(scene: Any) -> Iterator[tuple[Any, Any]]:
    """Every avatar that is not hidden in renders, once, with a view layer that has it."""
    seen = set()
    for layer in scene.view_layers:
        for obj in layer.objects if layer.use else ():
            if is_avatar(obj) and not obj.hide_render and obj.session_uid not in seen:
                seen.add(obj.session_uid)
                yield layer, obj


def _instant(scene: Any, depsgraph: Any, head: Head, number: float, region: Region) -> Instant:
    assert head.avatar is not None
    moment = head.moment_in(depsgraph, number).moment
    whole = _whole(scene, depsgraph, head.obj, region)
    return Instant(moment, region.camera(seen_by_head(head.avatar, head.pose, whole, moment)))


def _whole(scene: Any, depsgraph: Any, obj: Any, region: Region) -> Camera:
    """Of the whole picture, relative to the object."""
    return scene_camera(scene, depsgraph, obj, (region.width, region.height))


def _picture(head: Head, task: FrameTask) -> Float32:
    """(H, W, 6), by the path of a bake: the engine writes the layers and they are read back."""
    assert head.avatar is not None
    assert head.sound is not None
    path = head.avatar_name[1]
    assert isinstance(path, Path)
    with temporary_folder(Path(bpy.app.tempdir) if bpy.app.tempdir else None) as folder:
        job = BakeJob(
            avatar_path=path,
            avatar_hash=head.avatar.content_hash,
            voice=head.sound.track,
            frames=(task,),
            directory=Path(folder),
            file_format=RAW,
            background=False,
        )
        for _ in bake_frames(engines.viewport_source()(), job):
            pass
        picture: Float32 = np.load(job.path_of(task), allow_pickle=False)
    return picture
