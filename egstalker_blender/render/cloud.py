"""A point cloud of type GAUSSIAN_SPLAT (Blender 5.3) that holds the splats of one moment.

It stays in the head's frame (decimetres), in which the spherical harmonics are evaluated. Blender
keeps harmonics coefficient-major, one attribute each; `Splats.sh` is Gaussian-major.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ...core.records.arrays import Float32
from ...core.records.gaussians import SH_COEFFICIENTS, Splats

BASE, SCALE, ROTATION = "radiance:base", "scale", "rotation"
REST = tuple(f"radiance:sh_{k}" for k in range(SH_COEFFICIENTS - 1))
LAYOUT = {
    BASE: "FLOAT4",
    SCALE: "FLOAT_VECTOR",
    ROTATION: "QUATERNION",
    **dict.fromkeys(REST, "FLOAT_VECTOR"),
}


def make(name: str) -> Any:
    """A cloud without splats."""
    cloud = bpy.data.pointclouds.new(name)
    cloud.type = "GAUSSIAN_SPLAT"
    return cloud


def is_empty(cloud: Any) -> bool:
    return len(cloud.points) == 0


def empty(cloud: Any) -> None:
    """Remove all splats, so that nothing is drawn."""
    if not is_empty(cloud):
        cloud.resize(0)
        cloud.update_tag()


def write(cloud: Any, splats: Splats, colours: bool = True) -> None:
    """Replace the cloud's splats. colours: False where the harmonics of degree 1 and more are those
    of the last call with as many splats; most of the time goes there."""
    count = len(splats)
    if len(cloud.points) != count:
        cloud.resize(count)
        colours = True
    for name, kind in LAYOUT.items():
        if name not in cloud.attributes:
            cloud.attributes.new(name, kind, "POINT")
            colours = True
    base = np.empty((count, 4), np.float32)
    base[:, :3], base[:, 3] = splats.sh[:, 0], splats.opacities
    _put(cloud, "position", "vector", splats.means)
    _put(cloud, SCALE, "vector", splats.scales)
    _put(cloud, ROTATION, "value", splats.quats)
    _put(cloud, BASE, "vector", base)
    if colours:
        for name, values in zip(REST, coefficient_major(splats.sh)[1:], strict=True):
            _put(cloud, name, "vector", values)
    cloud.update_tag()


def coefficient_major(sh: Float32) -> Float32:
    """(N, 16, 3) -> (16, N, 3), copied one number of all Gaussians at a time, which is several
    times as fast as one transposed copy."""
    out = np.empty((sh.shape[1], len(sh), 3), np.float32)
    for k in range(sh.shape[1]):
        for channel in range(3):
            out[k, :, channel] = sh[:, k, channel]
    return out


def _put(cloud: Any, name: str, key: str, values: Float32) -> None:
    flat = np.ascontiguousarray(values, np.float32).reshape(-1)
    cloud.attributes[name].data.foreach_set(key, flat)
