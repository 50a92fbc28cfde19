"""The heads of the frame that Blender renders, drawn by the engine as a bake draws them."""

from __future__ import annotations

import threading
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
from ..camera import camera_before
from ..controls.frames import step_to
from ..gather import seen_by_head, shutter_of
from ..meshes import holdouts_before
from ..timeline.heads import Head
from . import origin
from .layer_places import Key, Seen, avatars_of, places_of, seen_in
from .loaded_heads import LoadedHeads
from .region import Region, region_of

STEREO = "The render layer cannot draw stereo; turn off Output Properties > Stereoscopy"
UNLOCKED = (
    "Motion blur of the render layer steps the scene; turn on Render > Lock Interface, or render "
    "without a window"
)

UNSEEN = (
    "The motion blur of {} cannot be found, because the viewport does not show it while the "
    "shutter is open; show it there, or render without motion blur"
)


@dataclass(eq=False)
class Frame:
    """One frame of a scene. number: whole or not. blurred: with motion blur. blur: the instants of
    each head while the shutter is open. drawn: the heads so far, (H, W, 6) each."""

    number: float
    region: Region
    blurred: bool = False
    blur: dict[Key, tuple[Instant, ...]] = field(default_factory=dict)
    drawn: dict[Key, Float32] = field(default_factory=dict)

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
        blurred = scene.render.use_motion_blur
        frame = Frame(float(scene.frame_current_final), region_of(scene), blurred)
        if blurred:
            self._read_blur(scene, frame)
        return frame

    def add(self, scene: Any, depsgraph: Any, frame: Frame) -> bool:
        """Draw the heads that `depsgraph`, of one view layer at the frame itself, has evaluated and
        that are not drawn yet. False where there are none. EgsError."""
        new = [seen for seen in seen_in(depsgraph) if seen.key not in frame.drawn]
        for seen in new:
            if frame.blurred and seen.key not in frame.blur:
                raise ArgumentError(UNSEEN.format(repr(seen.name)))
            head = self._heads.get(scene, depsgraph.view_layer, seen.obj)
            assert head.avatar is not None
            origin.saw(head.avatar)
            own = _instant(scene, depsgraph, head, seen, frame.number, frame.region)
            task = FrameTask(0, own.moment, own.camera, frame.blur.get(seen.key, ()))
            camera = frame.region.camera(_whole(scene, depsgraph, seen, frame.region))
            holdouts = holdouts_before(depsgraph, seen.obj, camera, seen.world)
            frame.drawn[seen.key] = _picture(head, replace(task, meshes=holdouts))
        return bool(new)

    def _read_blur(self, scene: Any, frame: Frame) -> None:
        here = threading.current_thread() is threading.main_thread()
        if not (here or scene.render.use_lock_interface):
            raise ArgumentError(UNLOCKED)
        before, subframe = scene.frame_current, scene.frame_subframe
        try:
            for layer in (layer for layer in scene.view_layers if layer.use):
                for obj in avatars_of(layer):
                    head = self._heads.get(scene, layer, obj)
                    for key, instants in _blur_of(scene, head, frame).items():
                        frame.blur.setdefault(key, instants)
        finally:
            scene.frame_set(before, subframe=subframe)


def _blur_of(scene: Any, head: Head, frame: Frame) -> dict[Key, tuple[Instant, ...]]:
    """The instants of a head, for each of its places that the view layer shows all the time."""
    numbers = shutter_of(scene, head.obj.egstalker.motion_blur_samples).frames(frame.number)
    found: dict[Key, list[Instant]] = {}
    for number in numbers:
        step_to(scene, number)
        for seen in places_of(head.layer, head.obj):
            instant = _instant(scene, head.layer.depsgraph, head, seen, number, frame.region)
            found.setdefault(seen.key, []).append(instant)
    return {key: tuple(there) for key, there in found.items() if len(there) == len(numbers)}


def _instant(
    scene: Any, depsgraph: Any, head: Head, seen: Seen, number: float, region: Region
) -> Instant:
    assert head.avatar is not None
    moment = head.moment_in(depsgraph, number).moment
    whole = _whole(scene, depsgraph, seen, region)
    return Instant(moment, region.camera(seen_by_head(head.avatar, head.pose, whole, moment)))


def _whole(scene: Any, depsgraph: Any, seen: Seen, region: Region) -> Camera:
    """Of the whole picture, relative to the object at its place."""
    size = region.width, region.height
    return camera_before(scene, depsgraph, seen.world, size, seen.obj.name)


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
