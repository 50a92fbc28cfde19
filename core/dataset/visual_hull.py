"""First points for a head without a mesh: the surface of its visual hull, carved by the masks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError
from ..records.arrays import Float64
from ..records.camera import Camera
from .clip import TrainingClip, box_of

FRAMES = 40  # masks that carve
CELLS = 96  # of the block along its longer sides
DEPTH = 0.65  # of the height: frontal views do not constrain depth
SLACK = 0.05  # of the masks may miss a cell: a mask is not right everywhere
SEEN = 2 / 3  # of the masks must contain a cell; in the rest it may be outside the picture
MARGIN = 1.15  # of the block around the largest mask


def points_from_masks(clip: TrainingClip, count: int, seed: int = 0) -> Float64:
    """(count, 3) points on the hull of the head masks of about 40 training frames, decimetres in
    the head's frame. The same clip and seed give the same points. DatasetError if poses and masks
    do not fit together."""
    rows = clip.train_rows
    picked = sorted({rows[k] for k in np.linspace(0, len(rows) - 1, FRAMES).astype(int)})
    views = [(clip.camera(row), clip.mask(row)) for row in picked]
    low, high = _block(views)
    size = (high - low).max() / CELLS
    shape = np.maximum(np.ceil((high - low) / size).astype(int), 3)
    cells = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, 3)
    hits, misses = np.zeros((2, len(cells)), np.int64)
    for camera, mask in views:
        shown, inside = _seen(low + (cells + 0.5) * size, camera, mask)
        hits += inside
        misses += shown & ~inside
        stays = misses <= SLACK * len(views)
        cells, hits, misses = cells[stays], hits[stays], misses[stays]
    cells = cells[hits >= SEEN * len(views)]
    if not len(cells):
        raise DatasetError(
            f"{clip.folder}: the head masks and the poses of track_params.pt do not meet in one "
            "body; track the clip again"
        )
    surface = _surface(cells, tuple(shape.tolist()))
    rng = np.random.default_rng(seed)
    chosen = surface[rng.integers(0, len(surface), count)]
    return low + (chosen + rng.random((count, 3))) * size


def _block(views: list[tuple[Camera, NDArray[np.bool_]]]) -> tuple[Float64, Float64]:
    """Lowest and highest corner (3,) of the block that contains the head: trackers put it around
    the origin in depth, and its masks give width and height."""
    middles, sides = [], []
    for camera, mask in views:
        box = box_of(mask)
        if box is None:
            continue
        y0, y1, x0, x1 = box
        ray = ((x0 + x1) / 2 - camera.cx) / camera.fx, ((y0 + y1) / 2 - camera.cy) / camera.fy, 1.0
        direction = camera.viewmat[:3, :3].T @ np.array(ray)
        # The point nearest to the origin on the ray through the mask's middle.
        along = -(camera.centre @ direction) / (direction @ direction)
        middles.append(camera.centre + along * direction)
        sides.append((along * (x1 - x0) / camera.fx, along * (y1 - y0) / camera.fy))
    if not middles:
        raise DatasetError("no head (blue) in any mask of parsing/; parse the clip again")
    width, height = MARGIN * np.max(sides, axis=0)
    middle, half = np.mean(middles, axis=0), np.array([width, height, DEPTH * height]) / 2
    return middle - half, middle + half


def _seen(
    points: Float64, camera: Camera, mask: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(N,) true where a point is in the picture, (N,) true where its pixel in the mask is set."""
    seen = points @ camera.viewmat[:3, :3].T + camera.viewmat[:3, 3]
    depth = np.maximum(seen[:, 2], 1e-6)
    column = np.floor(seen[:, 0] / depth * camera.fx + camera.cx)
    row = np.floor(seen[:, 1] / depth * camera.fy + camera.cy)
    shown = (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
    inside = shown.copy()
    inside[shown] = mask[row[shown].astype(np.int64), column[shown].astype(np.int64)]
    return shown, inside


def _surface(cells: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """The cells that have an empty neighbour across one of their six sides."""
    full = np.zeros([side + 2 for side in shape], bool)
    full[tuple((cells + 1).T)] = True
    enclosed = full[1:-1, 1:-1, 1:-1].copy()
    for axis in range(3):
        for step in (-1, 1):
            enclosed &= np.roll(full, step, axis)[1:-1, 1:-1, 1:-1]
    return cells[~enclosed[tuple(cells.T)]]
