"""From Blender to one frozen BakeJob: the scene is read here, once. No features are computed."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.audio.features import counted
from ..core.bake.plan import (
    FIRST_FRAME,
    camera_like_training,
    frames_of_sound,
)
from ..core.errors import ArgumentError
from ..core.records.audio_track import AudioTrack
from ..core.records.avatar import Avatar
from ..core.records.camera import Camera, pose_vector
from ..core.records.job import OVERWRITE, BakeJob, Existing, FrameTask, Instant
from ..core.records.moment import Moment
from ..core.records.shutter import Shutter
from ..core.records.timeline import MAX_FRAMES, ROW_RATE, seconds_of_frame
from ..core.records.voice import AnyVoice
from ..core.system.steps import finished, in_background
from . import preferences
from .blocks import file_of
from .camera import METRES, unit_of
from .controls.frames import states_at
from .controls.state import State, body_pose_of, eye_of, head_in_object, viewmat_of
from .output import output_of
from .properties import is_avatar
from .sound.strips import VoiceStrips, voice_strips
from .sound.voice import Source, Undecoded, voice_from
from .sound.windows import StripWindow, frame_rate

SLICE = 500  # frames, about a hundredth of a second


@dataclass(frozen=True)
class Settings:
    """The settings of an avatar object and its scene. voice: a strip, a sound or feature file, or
    None (a still). frames: scene frames in order, None for the whole sound. size: (width, height)
    in pixels, None for the camera's own. camera, pose, file_format: as core names them. unit: see
    Camera; for the training camera. shutter: of motion blur. xmp: see BakeJob. existing: what
    happens to files that are there. instance: see placed.Placed. meshes: those of the scene hide
    parts of the head."""

    avatar_path: Path
    avatar_hash: str
    voice: Source
    fps: float
    frames: tuple[int, ...] | None
    camera: str
    size: tuple[int, int] | None
    pose: str
    background: bool
    file_format: str
    directory: Path
    stem: str
    unit: float = METRES
    shutter: Shutter | None = None
    xmp: bool = True
    existing: Existing = OVERWRITE
    instance: str = ""
    meshes: bool = False

    def instants(self, frame: int) -> tuple[float, ...]:
        """The scene frames whose controls and camera a picture needs: its own, then those of its
        motion blur."""
        return (frame, *(self.shutter.frames(frame) if self.shutter else ()))


def read_settings(
    scene: Any, obj: Any, output: tuple[Path, str] | None = None, instance: str = ""
) -> Settings:
    """The object's property group as plain values. output: folder and start of the file names,
    None for the object's own. instance: see placed.Placed. ArgumentError or AudioError for bad
    ones."""
    props = obj.egstalker
    if not is_avatar(obj):
        raise ArgumentError(f"object {obj.name!r} is no avatar; import one")
    directory, stem = output or output_of(scene, obj, instance)
    voice = voice_of(scene, obj)
    return Settings(
        avatar_path=file_of(props.avatar_block),
        avatar_hash=props.content_hash,
        voice=voice,
        fps=voice.fps if isinstance(voice, StripWindow | VoiceStrips) else frame_rate(scene),
        frames=_frames(scene, props),
        camera=props.camera_source,
        size=(props.width, props.height) if props.size_source == "OWN" else None,
        pose=props.pose_source,
        background=props.use_plate,
        meshes=props.use_meshes,
        file_format=props.file_format,
        directory=directory,
        stem=stem,
        unit=unit_of(np.array(obj.matrix_world, np.float64)),
        shutter=shutter_of(scene, props.motion_blur_samples) if props.use_motion_blur else None,
        xmp=preferences.writes_xmp(),
        existing=Existing(props.use_resume, props.use_resume and props.use_overwrite),
        instance=instance,
    )


def shutter_of(scene: Any, samples: int) -> Shutter:
    """The shutter of the scene. ArgumentError for one that is never open."""
    render = scene.render
    return Shutter(samples, render.motion_blur_shutter, render.motion_blur_position)


@dataclass(frozen=True, eq=False)
class Loaded:
    """The avatar and the track of an object that the timeline has already loaded; None for what it
    has not. voice_digest: of the voice that the track was computed from."""

    avatar: Avatar | None = None
    track: AudioTrack | None = None
    voice_digest: str = ""


NOTHING = Loaded()


@dataclass(frozen=True, eq=False)
class Gathered:
    """A bake as read from Blender, as plain values. start: scene frame at which the voice's time is
    0. frames: if the whole of an undecoded sound is wanted, more than will be baked. states: one
    for each of `Settings.instants` of each frame. voice_digest: see BakeJob."""

    settings: Settings
    avatar: Avatar
    voice: AnyVoice | Undecoded
    start: float
    frames: tuple[int, ...]
    states: tuple[State, ...]
    voice_digest: str = ""


def gather(context: Any, obj: Any, settings: Settings, loaded: Loaded = NOTHING) -> Gathered:
    """`gather_steps` in one call."""
    return finished(gather_steps(context, obj, settings, loaded))


def gather_steps(
    context: Any, obj: Any, settings: Settings, loaded: Loaded = NOTHING
) -> Generator[None, None, Gathered]:
    """Read everything that needs Blender. Yields while another thread decodes a sound without which
    the number of frames is not known. If the object is animated or the scene's camera is used, this
    steps the scene through the frames and returns to the current one. InputError."""
    from ..core.bake.loop import load_checked  # imports the engines' modules, which is slow

    avatar = loaded.avatar or load_checked(settings.avatar_path, settings.avatar_hash)
    voice: AnyVoice | Undecoded = loaded.track
    if voice is None and avatar.features is not None:
        voice = voice_from(settings.voice)
    if isinstance(voice, Undecoded) and voice.longest is None and settings.frames is None:
        decode = voice.decode
        voice = yield from in_background(lambda _abandoned: decode())
    if isinstance(voice, Undecoded):
        rows = math.ceil((voice.longest or 0.0) * ROW_RATE) + 1
    else:
        voice, rows = counted(avatar, voice)
    start = start_of(avatar, settings.voice)
    frames = settings.frames
    if frames is None:
        frames = tuple(frames_of_sound(rows, settings.fps, round(start)))
    if len(frames) > MAX_FRAMES:
        raise ArgumentError(f"{len(frames)} frames are more than {MAX_FRAMES}; bake them in parts")
    instants = [instant for number in frames for instant in settings.instants(number)]
    with_camera, place = settings.camera == "scene", settings.instance
    meshes = frozenset(frames if settings.meshes else ())
    states = tuple(states_at(context, obj, instants, with_camera, settings.size, place, meshes))
    return Gathered(settings, avatar, voice, start, frames, states, loaded.voice_digest)


def job_steps(gathered: Gathered) -> Generator[None, None, BakeJob]:
    """Make the job of a gathered bake. Yields after every SLICE frames, and while another thread
    decodes a sound. AudioError, ArgumentError, CameraError."""
    settings, avatar, voice = gathered.settings, gathered.avatar, gathered.voice
    frames = gathered.frames
    if isinstance(voice, Undecoded):
        decode = voice.decode
        waveform = yield from in_background(lambda _abandoned: decode())
        voice = waveform
        if settings.frames is None:
            there = frames_of_sound(waveform.rows, settings.fps, round(gathered.start))
            frames = frames[: len(there)]

    tasks, states, drawn = [], iter(gathered.states), 0
    for number in frames:
        given = [(next(states), instant) for instant in settings.instants(number)]
        own, *blur = (
            instant_of(avatar, settings, state, instant, gathered.start) for state, instant in given
        )
        meshes = given[0][0].meshes
        tasks.append(FrameTask(number, own.moment, own.camera, tuple(blur), meshes))
        drawn += 1 + len(blur)
        if drawn >= SLICE:
            drawn = 0
            yield
    return BakeJob(
        avatar_path=settings.avatar_path,
        avatar_hash=settings.avatar_hash,
        voice=voice,
        frames=tuple(tasks),
        directory=settings.directory,
        stem=settings.stem,
        file_format=settings.file_format,
        background=settings.background and settings.camera == "training",
        xmp=settings.xmp,
        voice_digest=gathered.voice_digest,
    )


def bake_job(context: Any, obj: Any, settings: Settings) -> BakeJob:
    """The whole job in one call, for a Blender without a window. InputError."""
    return finished(job_steps(gather(context, obj, settings)))


def voice_of(scene: Any, obj: Any) -> Source:
    """The strips or the file that drives the object. ArgumentError, AudioError."""
    props = obj.egstalker
    if props.sound_source == "CHANNEL" or (props.sound_source == "STRIP" and props.sound_strip):
        return voice_strips(scene, obj)
    if props.sound_source == "FILE" and props.sound_file:
        return file_of(props.sound_block)
    return None


def _frames(scene: Any, props: Any) -> tuple[int, ...] | None:
    if props.range_source == "SOUND":
        return None
    if props.range_source == "OWN":
        return tuple(range(props.frame_start, props.frame_end + 1))
    return tuple(range(scene.frame_start, scene.frame_end + 1, scene.frame_step))


def start_of(avatar: Avatar, voice: Source) -> float:
    """The scene frame at which the track's time is 0. A linked file starts at FIRST_FRAME in
    every scene range."""
    if avatar.features is not None and isinstance(voice, StripWindow | VoiceStrips):
        return voice.left
    return FIRST_FRAME


def moment_of(
    avatar: Avatar, pose: str, state: State, number: float, start: float, fps: float
) -> Moment:
    """The moment of a scene frame, for both bake and timeline. start: see start_of."""
    seconds = seconds_of_frame(number, start, fps) - state.audio_offset
    return Moment(
        seconds,
        eye_of(avatar, state, seconds, seconds_of_frame(number, 0, fps)),
        pose_vector(viewmat_of(avatar, pose, state, seconds)),
        strength=state.strength,
        mouth_gain=state.mouth_gain,
        opacity=state.opacity,
        colour_gain=state.colour_gain,
        approximate=state.approximate,
        body_pose=body_pose_of(avatar, pose, state, seconds),
    )


def instant_of(
    avatar: Avatar, settings: Settings, state: State, frame: float, start: float
) -> Instant:
    """What a picture shows at any frame, whole or not. start: see start_of."""
    moment = moment_of(avatar, settings.pose, state, frame, start, settings.fps)
    return Instant(moment, _camera(avatar, settings, state, moment))


def _camera(avatar: Avatar, settings: Settings, state: State, moment: Moment) -> Camera:
    if state.camera is not None:
        return seen_by_head(avatar, settings.pose, state.camera, moment)
    viewmat = viewmat_of(avatar, settings.pose, state, moment.seconds)
    return replace(camera_like_training(avatar, viewmat, settings.size), unit=settings.unit)


def seen_by_head(avatar: Avatar, pose: str, camera: Camera, moment: Moment) -> Camera:
    """A camera that is relative to the object, relative to the head's frame, which may turn in the
    object. pose: the property pose_source."""
    place = head_in_object(avatar, pose, moment.pose)
    return camera if place is None else replace(camera, viewmat=camera.viewmat @ place)
