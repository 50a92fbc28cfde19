"""Slow, readable readers of splat files, and scenes of splats, for tests of the writers."""

from __future__ import annotations

import gzip
import json
import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def placed(angle: float = 0.7, scale: float = 0.13) -> Array:
    """(4, 4) a turn around an oblique axis, a uniform scale, a translation."""
    axis = np.array([1.0, 2.0, -1.0]) / math.sqrt(6)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    out = np.eye(4)
    turn = np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
    out[:3, :3] = scale * turn
    out[:3, 3] = (0.3, -0.2, 1.5)
    return out


def covariances(quats: Any, scales: Any) -> Array:
    """quats (N, 4) w, x, y, z of any length, scales (N, 3) -> (N, 3, 3)."""
    found = []
    for quat, scale in zip(np.asarray(quats, float), np.asarray(scales, float), strict=True):
        w, x, y, z = quat / np.linalg.norm(quat)
        rotation = np.array([
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ])  # fmt: skip
        found.append(rotation @ np.diag(scale**2) @ rotation.T)
    return np.array(found)


def read_glb(data: bytes) -> tuple[Mapping[str, Any], dict[str, NDArray[Any]]]:
    """(the JSON document, attribute -> values) of the only primitive, each accessor by the rules of
    glTF 2.0."""
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON" and size % 4 == 0
    document = json.loads(data[20 : 20 + size])
    size, kind = struct.unpack_from("<I4s", data, 20 + size)
    assert kind == b"BIN\0" and size % 4 == 0
    binary = data[len(data) - size :]
    [mesh] = document["meshes"]
    [primitive] = mesh["primitives"]
    arrays = {}
    for name, index in primitive["attributes"].items():
        accessor = document["accessors"][index]
        view = document["bufferViews"][accessor["bufferView"]]
        kind = {5126: "<f4", 5121: "u1"}[accessor["componentType"]]
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor["type"]]
        assert view["byteOffset"] % np.dtype(kind).itemsize == 0
        count = accessor["count"] * width
        assert count * np.dtype(kind).itemsize == view["byteLength"]
        flat = np.frombuffer(binary, kind, count, view["byteOffset"])
        arrays[name] = flat.reshape(-1, width)
        if "max" in accessor:
            assert np.array_equal(arrays[name].max(0), np.float32(accessor["max"]))
            assert np.array_equal(arrays[name].min(0), np.float32(accessor["min"]))
    return document, arrays


def read_spz(data: bytes) -> dict[str, Array]:
    """The values of a version 3 file, one splat after the other, as the format's description says:
    raw opacities and scales, quaternions w, x, y, z."""
    data = gzip.decompress(data)
    magic, version, count, degree, bits, flags, reserved = struct.unpack_from("<IIIBBBB", data)
    assert (magic, version, flags, reserved) == (0x5053474E, 3, 0, 0)
    rest = (degree + 1) ** 2 - 1
    assert len(data) == 16 + count * (9 + 1 + 3 + 3 + 4 + 3 * rest)
    place = 16
    out: dict[str, list[list[float]]] = {name: [] for name in ("means", "alpha", "dc", "scales")}
    for _ in range(3 * count):
        value = int.from_bytes(data[place : place + 3], "little", signed=True)
        out["means"].append([value / 2**bits])
        place += 3
    for name, width in (("alpha", 1), ("dc", 3), ("scales", 3)):
        out[name] = [[byte] for byte in data[place : place + width * count]]
        place += width * count
    quats = []
    for _ in range(count):
        word = int.from_bytes(data[place : place + 4], "little")
        place += 4
        largest, values = word >> 30, [0.0] * 4
        for component in reversed([c for c in range(4) if c != largest]):
            values[component] = (word & 511) / 511 * math.sqrt(0.5)
            if word & 512:
                values[component] *= -1
            word >>= 10
        values[largest] = math.sqrt(max(0.0, 1 - sum(v * v for v in values)))
        quats.append([values[3], *values[:3]])
    sh = [(byte - 128) / 128 for byte in data[place:]]
    return {
        "means": np.reshape(out["means"], (count, 3)),
        "opacities": np.reshape(out["alpha"], count) / 255,
        "dc": (np.reshape(out["dc"], (count, 3)) / 255 - 0.5) / 0.15,
        "log_scales": np.reshape(out["scales"], (count, 3)) / 16 - 10,
        "quats": np.array(quats),
        "sh": np.reshape(sh, (count, rest, 3)),
    }
