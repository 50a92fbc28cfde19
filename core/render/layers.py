"""From what a rasteriser draws to the layers of a file."""

from __future__ import annotations

import numpy as np

from ..images.image import Image
from ..images.layers import Layers
from ..records.arrays import Float32
from ..records.camera import Camera
from ..records.mesh_depth import MeshDepth
from .picture import finish
from .rasteriser import EMPTY


def layers_of(image: Image, depth: Float32, camera: Camera, background: Float32 | None) -> Layers:
    """image: transparent, as drawn with depth, decimetres. background: (H, W, 3), None to leave the
    picture transparent."""
    matte = image[..., 3].copy()
    scaled = np.where(depth < EMPTY, depth * np.float32(camera.unit), np.float32(EMPTY))
    if background is not None:
        image = finish(image[..., :3], 1 - matte, background)
    return Layers(image, scaled.astype(np.float32), matte)


def behind_meshes(layers: Layers, meshes: MeshDepth) -> Layers:
    """Without what meshes hide: of each pixel the share of its four corners remains at which no
    mesh is nearer than the head, so that edges are soft. Makes new arrays."""
    (height, width), far = meshes.size, meshes.depth
    rows = slice(meshes.top, meshes.top + height)
    columns = slice(meshes.left, meshes.left + width)
    head = layers.depth[rows, columns]
    seen = np.zeros(head.shape, np.float32)
    for y, x in np.ndindex(2, 2):
        seen += np.float32(0.25) * (head <= far[y : y + height, x : x + width])
    image, depth, matte = layers.image.copy(), layers.depth.copy(), layers.matte.copy()
    image[rows, columns] *= seen[..., None]
    matte[rows, columns] *= seen
    depth[rows, columns][seen == 0] = EMPTY
    return Layers(image, depth, matte)
