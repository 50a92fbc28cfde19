"""The interface that draws Gaussians where they are, on a device, in batches of frames.
nvrtc_drawer.py and gsplat_drawer.py implement it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ...images.image import Image
from ...records.arrays import Float32
from ...records.camera import Camera
from ...records.gaussians import Splats
from ..picture import check
from .views import view_table

if TYPE_CHECKING:  # single frames are also drawn where torch may be missing
    from torch import Tensor

    from .scene import Scene


@dataclass(frozen=True, eq=False)
class Drawn:
    """A batch of pictures that a device may still be drawing. pictures (B, H, W, 4): uint8 with
    straight alpha, or float32 premultiplied (images/image.py). broken (B,) int32: not 0 for a
    picture with a value that is not finite. pairs: () int64, the length that the list of pairs
    needed; if it exceeds `capacity`, the pictures are incomplete and must be drawn again. depths
    (B, H, W) float32 as in `Rasteriser`, None if they were not wanted."""

    pictures: Tensor
    broken: Tensor
    pairs: Tensor
    capacity: int
    depths: Tensor | None = None


class Drawer(Protocol):
    """A frame's bits depend only on its own Gaussians and view, not on the batch."""

    def draw(
        self,
        scene: Scene,
        views: Tensor,
        size: tuple[int, int],
        background: Tensor | None = None,
        sh_degree: int = 3,
        in_bytes: bool = False,
        with_depth: bool = False,
    ) -> Drawn:
        """views (B, VIEW) float32, see views.py. size: width, height. background: (H, W, 3) for
        all frames or (B, H, W, 3), float32. in_bytes: uint8 pictures. All on one device."""
        ...

    def learn(self, shape: tuple[int, ...], pairs: int) -> int:
        """After a `Drawn` whose list was too short: make room for `pairs` in the next batches of
        that shape (frames, Gaussians, width, height) and return the new capacity. Raises
        EngineError for too many."""
        ...


def draw_one(
    drawer: Drawer,
    device: str,
    splats: Splats,
    camera: Camera,
    background: Float32 | None,
    sh_degree: int,
    depth: Float32 | None = None,
) -> Image:
    """One frame, as a batch of one. Raises ArgumentError as `check` does."""
    import torch

    from .scene import scene_of

    check(camera, background, sh_degree, depth)
    scene = scene_of(splats, torch.device(device))
    views = torch.from_numpy(view_table([camera])).to(device)
    behind = None if background is None else torch.tensor(background, device=device)
    size = (camera.width, camera.height)
    wanted = depth is not None
    drawn = drawer.draw(scene, views, size, behind, sh_degree, with_depth=wanted)
    while (pairs := int(drawn.pairs)) > drawn.capacity:
        drawer.learn((1, len(splats), *size), pairs)
        drawn = drawer.draw(scene, views, size, behind, sh_degree, with_depth=wanted)
    if depth is not None and drawn.depths is not None:
        depth[...] = drawn.depths[0].cpu().numpy()
    picture: Image = np.asarray(drawn.pictures[0].cpu().numpy())
    return picture
