"""All conversions of axes and units between Blender and the core.

Head's frame (core): x right, y up, z to the viewer, decimetres. Object: X right, Z up, facing -Y,
metres. Camera in core: x right, y down, z forward; in Blender: x right, y up, z backward.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.errors import CameraError
from ..core.records.arrays import Float32, Float64
from ..core.records.camera import Camera

METRES = 0.1  # in a decimetre
HEAD_TO_OBJECT: Float64 = np.array(
    [[METRES, 0, 0, 0], [0, 0, -METRES, 0], [0, METRES, 0, 0], [0, 0, 0, 1]]
)
Z_UP_TO_Y_UP: Float64 = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
OPENCV_TO_BLENDER: Float64 = np.diag([1.0, -1.0, -1.0, 1.0])  # its own inverse
UNIFORM = 1e-4  # relative; matrices in Blender are float32


@dataclass(frozen=True)
class Lens:
    """A Blender camera's optics: lens and sensor in millimetres, shifts in units of the fitted
    side, frame in pixels, pixel_aspect (x, y)."""

    lens: float
    sensor_fit: str
    sensor_width: float
    sensor_height: float
    shift_x: float
    shift_y: float
    width: int
    height: int
    pixel_aspect: tuple[float, float] = (1.0, 1.0)


def in_object(motion: Float64) -> Float64:
    """(4, 4) a motion in the head's frame -> the same in the object's local axes, metres."""
    return np.asarray(HEAD_TO_OBJECT @ motion @ np.linalg.inv(HEAD_TO_OBJECT), np.float64)


def vertices_of(means: Float32) -> Float32:
    """(N, 3) head's frame -> (N, 3) object's local axes."""
    return (means @ HEAD_TO_OBJECT[:3, :3].T).astype(np.float32)


def means_of(vertices: Float32) -> Float32:
    """(N, 3) object's local axes -> (N, 3) head's frame."""
    return (vertices @ np.linalg.inv(HEAD_TO_OBJECT[:3, :3]).T).astype(np.float32)


def rotation_and_scale(matrix: Float64, name: str) -> tuple[Float64, float]:
    """(3, 3) rotation and the uniform scale of a (4, 4) matrix; CameraError for anything else."""
    linear = matrix[:3, :3]
    scales = np.linalg.norm(linear, axis=0)
    scale = float(scales.mean())
    if not np.isfinite(matrix).all() or scale <= 0:
        raise CameraError(f"object {name!r} has no size; set its scale to 1")
    rotation = linear / scale
    if np.abs(rotation.T @ rotation - np.eye(3)).max() > UNIFORM:
        shown = " x ".join(f"{s:g}" for s in scales)
        raise CameraError(
            f"object {name!r} is scaled unevenly or sheared ({shown}); apply its scale (Ctrl A)"
        )
    if np.linalg.det(rotation) < 0:
        raise CameraError(f"object {name!r} is mirrored; make its scale positive")
    return rotation, scale


def viewmat_between(object_world: Float64, camera_world: Float64, name: str) -> Float64:
    """(4, 4) head's frame -> camera, rigid: the object's scale is divided out, which moves the
    camera instead of growing the head. A camera's own scale is ignored, as Blender does."""
    _, scale = rotation_and_scale(object_world, name)
    camera = camera_world.copy()
    camera[:3, :3] /= np.linalg.norm(camera[:3, :3], axis=0)
    viewmat = OPENCV_TO_BLENDER @ np.linalg.inv(camera) @ object_world @ HEAD_TO_OBJECT
    viewmat[:3] /= scale * METRES
    u, _, vt = np.linalg.svd(viewmat[:3, :3])
    viewmat[:3, :3] = u @ vt
    return viewmat


def head_motion(object_world: Float64, target_world: Float64, name: str) -> Float64:
    """(4, 4) rigid motion of the target relative to the object, in the head's frame; identity if
    both have the same place and axes. The target's scale is ignored. CameraError if the object
    is scaled unevenly, or either has no finite transform."""
    rotation_and_scale(object_world, name)
    local = np.linalg.inv(object_world) @ target_world
    motion = np.asarray(np.linalg.inv(HEAD_TO_OBJECT) @ local @ HEAD_TO_OBJECT, np.float64)
    if not np.isfinite(motion).all():
        raise CameraError(f"the object that {name!r} follows has no valid transform; reset it")
    u, _, vt = np.linalg.svd(motion[:3, :3])
    u[:, 2] *= np.sign(np.linalg.det(u) * np.linalg.det(vt))  # no mirroring
    motion[:3, :3] = u @ vt
    return motion


def hung_on_bone(
    object_world: Float64, armature_world: Float64, moved: Float64, carrier: Float64 | None
) -> Float64:
    """(4, 4) world matrix that the avatar would have if it hung on a bone since the armature's rest
    pose. moved (4, 4): motion of the bone from its rest pose, in the armature's axes; carrier: that
    of the bone which is the avatar's parent, None where no bone of the armature is."""
    rest = np.linalg.inv(armature_world) @ object_world
    if carrier is not None:
        rest = np.linalg.inv(carrier) @ rest
    return np.asarray(armature_world @ moved @ rest, np.float64)


def splat_place(object_world: Float64, name: str) -> Float64:
    """(4, 4) head's frame -> the world of splat files: y up, metres (core's SplatTask.place).
    CameraError if the object is scaled unevenly."""
    rotation_and_scale(object_world, name)
    return np.asarray(Z_UP_TO_Y_UP @ object_world @ HEAD_TO_OBJECT, np.float64)


def fitted_side(fit: str, size: tuple[int, int], ratio: float) -> float:
    """The side of a picture that a sensor, or an orthographic scale, is as long as: in widths of a
    pixel. fit: a camera's sensor_fit. size: width, height in pixels. ratio: height of a pixel over
    its width."""
    width, height = size[0], size[1] * ratio
    if fit == "AUTO":
        return max(width, height)
    return width if fit == "HORIZONTAL" else height


def camera_from_lens(viewmat: Float64, lens: Lens) -> Camera:
    """The camera of a lens by Blender's rules: AUTO fits the sensor to the longer side in square
    pixels, shifts are in units of the fitted side. viewmat (4, 4): head's frame -> camera."""
    ratio = lens.pixel_aspect[1] / lens.pixel_aspect[0]
    side = fitted_side(lens.sensor_fit, (lens.width, lens.height), ratio)
    sensor = lens.sensor_height if lens.sensor_fit == "VERTICAL" else lens.sensor_width
    fx = lens.lens / sensor * side
    return Camera(
        viewmat,
        fx,
        fx / ratio,
        lens.width / 2 - lens.shift_x * side,
        lens.height / 2 + lens.shift_y * side / ratio,
        lens.width,
        lens.height,
    )


def lens_of_camera(camera: Camera) -> tuple[Lens, Float64]:
    """The Blender camera equal to `camera`: its lens, and its (4, 4) matrix local to the avatar
    object. The sensor fits the height, as in Camera.resized."""
    ratio = camera.fx / camera.fy
    sensor = 24.0  # mm; only the ratio to the lens matters
    side = camera.height * ratio
    lens = Lens(
        lens=camera.fx * sensor / side,
        sensor_fit="VERTICAL",
        sensor_width=36.0,
        sensor_height=sensor,
        shift_x=(camera.width / 2 - camera.cx) / side,
        shift_y=(camera.cy - camera.height / 2) * ratio / side,
        width=camera.width,
        height=camera.height,
        pixel_aspect=(1.0, ratio) if ratio >= 1 else (1 / ratio, 1.0),
    )
    local = HEAD_TO_OBJECT @ np.linalg.inv(camera.viewmat) @ OPENCV_TO_BLENDER
    local[:3, :3] /= METRES
    return lens, local


def render_size(scene: Any) -> tuple[int, int]:
    """Width and height of the scene's render in pixels, with the resolution percentage applied."""
    render = scene.render
    percent = render.resolution_percentage
    return render.resolution_x * percent // 100, render.resolution_y * percent // 100


def scene_camera(
    scene: Any, depsgraph: Any, obj: Any, size: tuple[int, int], instance: str = ""
) -> Camera:
    """The scene's evaluated camera, relative to the head's frame of `obj`. instance: as for
    world_of. The rest is that of camera_before."""
    return camera_before(scene, depsgraph, world_of(depsgraph, obj, instance), size, obj.name)


def camera_before(
    scene: Any, depsgraph: Any, world: Float64, size: tuple[int, int], name: str
) -> Camera:
    """The scene's evaluated camera, relative to the frame of a head whose object, or instance of
    it, has the (4, 4) matrix `world`. size: width, height in pixels. name: of the object.
    CameraError if there is no camera, or if it is not a perspective one."""
    if scene.camera is None or scene.camera.type != "CAMERA":
        raise CameraError(f"scene {scene.name!r} has no camera; add one or use the training camera")
    camera = scene.camera.evaluated_get(depsgraph)
    if camera.data.type != "PERSP":
        raise CameraError(
            f"camera {scene.camera.name!r} is {camera.data.type.lower()}; make it perspective"
        )
    viewmat = viewmat_between(world, np.array(camera.matrix_world, np.float64), name)
    data, render = camera.data, scene.render
    lens = Lens(
        lens=data.lens,
        sensor_fit=data.sensor_fit,
        sensor_width=data.sensor_width,
        sensor_height=data.sensor_height,
        shift_x=data.shift_x,
        shift_y=data.shift_y,
        width=size[0],
        height=size[1],
        pixel_aspect=(render.pixel_aspect_x, render.pixel_aspect_y),
    )
    return replace(camera_from_lens(viewmat, lens), unit=unit_of(world))


def world_of(depsgraph: Any, obj: Any, instance: str = "") -> Float64:
    """(4, 4) evaluated world matrix of an object; of its only instance where the scene has it in an
    instanced collection alone; or of the instance of the object named `instance`. CameraError where
    it is not visible, or there are several."""
    if not instance and depsgraph.scene in obj.users_scene:
        return np.array(obj.evaluated_get(depsgraph).matrix_world, np.float64)
    found = [(by.name, world) for each, by, world in instances(depsgraph) if each == obj]
    places = [world for name, world in found if instance in ("", name)]
    if len(places) == 1:
        return places[0]
    where, names = f"in scene {depsgraph.scene.name!r}", ", ".join(repr(name) for name, _ in found)
    if not places:
        by = f" of {instance!r}" if instance else ""
        raise CameraError(f"object {obj.name!r} has no visible instance{by} {where}; show one")
    raise CameraError(
        f"object {obj.name!r} has {len(places)} visible instances {where}, of {names}; select one "
        "(on the command line: --object), or make a library override of each"
    )


def instances(depsgraph: Any) -> Iterator[tuple[Any, Any, Float64]]:
    """Each visible instance of an object in the scene: the object, the object of the scene that
    instances it, and its (4, 4) world matrix. Without the geometry that modifiers add to one."""
    for instance in depsgraph.object_instances:
        if instance.is_instance and instance.object.type == instance.object.original.type:
            parent = instance.parent.original
            yield instance.object.original, parent, np.array(instance.matrix_world, np.float64)


def unit_of(world: Float64) -> float:
    """Length of a decimetre of the head's frame in units of the scene. world: (4, 4) matrix of the
    object, whose scale counts."""
    scale = float(np.linalg.norm(world[:3, :3], axis=0).mean())
    return METRES * scale if scale > 0 else METRES
