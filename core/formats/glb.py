"""Writes splats as a binary glTF file, with the extension KHR_gaussian_splatting.

glTF is y up, in metres, and a model faces +z: the axes of the head's frame. Values are activated:
linear scales, opacities in 0..1, quaternions x, y, z, w. The harmonics are of sRGB-encoded colours,
which blend as they are (`srgb_rec709_display`). COLOR_0 holds the colours of degree 0 for viewers
that draw points only.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float64
from ..records.gaussians import C0, Splats

EXTENSION = "KHR_gaussian_splatting"
FLOAT, UNSIGNED_BYTE = 5126, 5121
TYPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4"}
POINTS = 0


def glb_chunks(splats: Splats, name: str, place: Float64, degree: int = 3) -> list[bytes]:
    """The parts of the file in order. splats: in metres. name: of the node. place (4, 4): the
    node's matrix, a rotation and a translation in glTF's axes. degree: of the harmonics, 0 to 3."""
    columns = _columns(splats, degree)
    views, accessors, attributes, start = [], [], {}, 0
    for index, (key, values) in enumerate(columns.items()):
        whole = values.dtype == np.uint8
        views.append({"buffer": 0, "byteOffset": start, "byteLength": values.nbytes})
        accessor: dict[str, Any] = {
            "bufferView": index,
            "componentType": UNSIGNED_BYTE if whole else FLOAT,
            "count": len(splats),
            "type": TYPES[values.shape[1]],
        }
        if whole:
            accessor["normalized"] = True
        if key == "POSITION":  # glTF requires its bounds
            accessor["min"] = values.min(axis=0).tolist()
            accessor["max"] = values.max(axis=0).tolist()
        accessors.append(accessor)
        attributes[key] = index
        start += values.nbytes
    primitive = {
        "attributes": attributes,
        "mode": POINTS,
        "extensions": {EXTENSION: {"kernel": "ellipse", "colorSpace": "srgb_rec709_display"}},
    }
    document = {
        "asset": {"version": "2.0", "generator": "EGSTalker"},
        "extensionsUsed": [EXTENSION],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": name, "matrix": place.T.ravel().tolist()}],
        "meshes": [{"name": name, "primitives": [primitive]}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": start}],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    total = 12 + 8 + len(text) + 8 + start  # every column fills whole words
    head = struct.pack("<4sII", b"glTF", 2, total)
    parts = [head, struct.pack("<I4s", len(text), b"JSON"), text]
    parts.append(struct.pack("<I4s", start, b"BIN\0"))
    return parts + [values.tobytes() for values in columns.values()]


def _columns(splats: Splats, degree: int) -> dict[str, NDArray[Any]]:
    """Attribute -> (N, 1, 3 or 4) little-endian float32, or uint8."""
    base = np.clip(0.5 + C0 * splats.sh[:, 0], 0, 1)
    colour = np.concatenate([base, splats.opacities[:, None]], axis=1)
    columns: dict[str, NDArray[Any]] = {
        "POSITION": splats.means,
        f"{EXTENSION}:ROTATION": splats.quats[:, [1, 2, 3, 0]],
        f"{EXTENSION}:SCALE": splats.scales,
        f"{EXTENSION}:OPACITY": splats.opacities[:, None],
    }
    for k in range((degree + 1) ** 2):
        order = int(np.sqrt(k))
        columns[f"{EXTENSION}:SH_DEGREE_{order}_COEF_{k - order**2}"] = splats.sh[:, k]
    columns = {key: np.ascontiguousarray(a, "<f4") for key, a in columns.items()}
    return columns | {"COLOR_0": np.rint(colour * 255).astype(np.uint8)}
