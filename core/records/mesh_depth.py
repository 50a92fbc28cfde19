"""What the meshes of a scene hide of a picture."""

from __future__ import annotations

from dataclasses import dataclass

from .arrays import Float32


@dataclass(frozen=True, eq=False)
class MeshDepth:
    """The part of a picture that meshes cover. left, top: its first pixel. depth (h + 1, w + 1)
    float32: at the corners of its h rows of w pixels, the distance of the nearest mesh along the
    camera's axis in units of the scene, images.layers.EMPTY where there is none."""

    left: int
    top: int
    depth: Float32

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of pixels."""
        return self.depth.shape[0] - 1, self.depth.shape[1] - 1
