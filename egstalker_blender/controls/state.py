"""An avatar's controls at one frame, evaluated by Blender or read from F-curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...core.avatar.blinks import blink_at
from ...core.avatar.following import followed_viewmat, head_range
from ...core.avatar.motion import body_pose_at, eye_at, head_on_body, viewmat_at
from ...core.avatar.turning import Turn, nodding_body_pose, turned_viewmat
from ...core.records.arrays import Float32, Float64
from ...core.records.avatar import Avatar
from ...core.records.camera import Camera
from ...core.records.mesh_depth import MeshDepth
from ..camera import head_motion, hung_on_bone
from .curves import curves_of, scene_time, stands_still

PREFIX = "egstalker."
ANIMATED = (
    *("audio_offset", "strength", "mouth_gain", "opacity", "colour_gain"),
    *("eye_closure", "blink_rate", "blink_duration"),
    *("yaw", "pitch", "roll", "nod"),
)


@dataclass(frozen=True, eq=False)
class State:
    """The values that may change from frame to frame, in the units of the properties. head: the
    followed object's motion (4, 4) in the head's frame, None where no object is followed; located:
    its translation counts. camera: None for the training camera. meshes: before the head, None
    where there are none or nobody asked."""

    audio_offset: float
    strength: float
    mouth_gain: float
    opacity: float
    colour_gain: float
    eye_source: str
    eye_closure: float
    blink_seed: int
    blink_rate: float
    blink_duration: float
    yaw: float
    pitch: float
    roll: float
    nod: float
    approximate: bool = False
    head: Float64 | None = None
    located: bool = False
    camera: Camera | None = None
    meshes: MeshDepth | None = None

    @property
    def turn(self) -> Turn:
        return Turn(self.yaw, self.pitch, self.roll, self.nod)


def state_of(props: Any, camera: Camera | None = None, head: Float64 | None = None) -> State:
    """The current controls. props: settings of the evaluated object."""
    numbers: dict[str, Any] = {name: float(getattr(props, name)) for name in ANIMATED}
    return State(
        **numbers,
        eye_source=props.eye_source,
        blink_seed=props.blink_seed,
        approximate=props.approximate,
        head=head,
        located=props.pose_use_location,
        camera=camera,
    )


def state_now(depsgraph: Any, obj: Any, camera: Camera | None = None) -> State:
    """The controls at the frame that `depsgraph` has evaluated, however they are animated.
    CameraError where the object follows another and is scaled unevenly."""
    return state_of(obj.evaluated_get(depsgraph).egstalker, camera, _head_now(depsgraph, obj))


@dataclass(frozen=True, eq=False)
class Animation:
    """The animation of an object's controls by F-curves alone. rest: the controls without it.
    limits: lowest and highest value of each property. Use it at once: an undo frees the curves."""

    scene: Any
    rest: State
    curves: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def at(self, frame: float) -> State:
        """The controls at any frame, equal to those after stepping the scene there."""
        if not self.curves:
            return self.rest
        time = scene_time(self.scene, frame)
        values = {**vars(self.rest)}
        for name, curve in self.curves.items():
            low, high = self.limits[name]
            values[name] = float(np.float32(min(max(curve.evaluate(time), low), high)))
        return State(**values)


def animation_of(scene: Any, depsgraph: Any, obj: Any) -> Animation | None:
    """None where only the current frame is known: with drivers, NLA, a blended action, or a
    followed object that moves."""
    curves = curves_of(obj, PREFIX)
    if curves is None or not _head_stands_still(obj):
        return None
    props = obj.egstalker
    curves = {name: curve for name, curve in curves.items() if name in ANIMATED}
    found = {name: props.bl_rna.properties[name] for name in curves}
    limits = {name: (prop.hard_min, prop.hard_max) for name, prop in found.items()}
    return Animation(scene, state_of(props, head=_head_now(depsgraph, obj)), curves, limits)


def viewmat_of(avatar: Avatar, pose: str, state: State, seconds: float) -> Float64:
    """(4, 4) view matrix of the training camera for the head pose. pose: the property
    pose_source."""
    if pose == "keys":
        return turned_viewmat(avatar, state.turn, seconds)
    if pose != "object":
        return viewmat_at(avatar, seconds, pose)
    if state.head is None:
        return viewmat_at(avatar, seconds, "still")
    return followed_viewmat(avatar, state.head, head_range(avatar), state.located)


def body_pose_of(avatar: Avatar, pose: str, state: State, seconds: float) -> Float32 | None:
    """(12,) the body's pose, None for the still one. pose: the property pose_source."""
    if pose == "keys":
        return nodding_body_pose(avatar, state.turn, seconds)
    return body_pose_at(avatar, seconds, pose)


def head_in_object(avatar: Avatar, pose: str, head_pose: Float32) -> Float64 | None:
    """(4, 4) rigid, from the head's frame to the object's, in the head's axes; None where both are
    the same. A head alone turns in its object by keys alone. head_pose (12,): of the moment."""
    return head_on_body(avatar, head_pose, alone=pose == "keys")


def eye_of(avatar: Avatar, state: State, seconds: float, scene_seconds: float) -> float:
    """Eye closure in [0, 1]. seconds: time in the sound, at which the training track is read.
    scene_seconds: time from frame 0, which decides the blinks, so that a moved sound moves none."""
    if state.eye_source == "MANUAL":
        return state.eye_closure
    if state.eye_source == "BLINK":
        return blink_at(scene_seconds, state.blink_seed, state.blink_rate, state.blink_duration)
    return eye_at(avatar, seconds)


def _follows(obj: Any) -> bool:
    return obj.egstalker.pose_source == "object" and obj.egstalker.pose_object is not None


def _head_stands_still(obj: Any) -> bool:
    if not _follows(obj):
        return True
    if obj.egstalker.pose_bone:
        return False  # constraints of bones are too many to look through
    return all(stands_still(one, PREFIX) for one in (obj, obj.egstalker.pose_object))


def _head_now(depsgraph: Any, obj: Any) -> Float64 | None:
    if not _follows(obj):
        return None
    props = obj.egstalker
    avatar, target = (o.evaluated_get(depsgraph) for o in (obj, props.pose_object))
    world, target_world = (np.array(o.matrix_world, np.float64) for o in (avatar, target))
    bone = _bone_motion(target, props.pose_bone)
    if bone is not None:
        hung = obj.parent == props.pose_object and obj.parent_type == "BONE"
        carrier = _bone_motion(target, obj.parent_bone) if hung else None
        target_world = hung_on_bone(world, target_world, bone, carrier)
    motion = head_motion(world, target_world, obj.name)
    if not props.pose_use_location:
        motion[:3, 3] = 0
    return motion


def _bone_motion(armature: Any, name: str) -> Float64 | None:
    """(4, 4) from the bone's rest pose to its pose, in the axes of the evaluated armature; None
    where the object has no such bone."""
    bone = armature.pose.bones.get(name) if armature.pose else None
    if bone is None:
        return None
    pose, rest = (np.array(m, np.float64) for m in (bone.matrix, bone.bone.matrix_local))
    return np.asarray(pose @ np.linalg.inv(rest), np.float64)
