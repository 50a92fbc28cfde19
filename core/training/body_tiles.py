"""Gaussians on a surface: a picture is divided into squares, the smaller the more detail they have,
and each square becomes a flat Gaussian."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..network.skinning import quaternion_of
from ..records.arrays import Float32, Float64
from ..records.camera import Camera
from ..records.gaussians import C0
from .body_shape import Scene

LARGEST, SMALLEST = 16, 2  # pixels, sides of a square
OUTER = 8  # pixels: squares that the training's pictures do not show
SPREAD = 0.6  # standard deviation of a Gaussian, in sides of its square
FLAT = 0.3  # thickness, in standard deviations along the surface
STEEPEST = 3.0  # how far a square is stretched where the surface turns away
OPACITY = 0.95
TRIES = 12  # bisections of the detail that divides a square
INSET = 2 * SPREAD * OUTER  # pixels between the back and the outline, so that it does not show
BACK_DETAIL = 0.05  # deviation of colours, of 0..1
FULL, LITTLE = (
    0.9,
    0.25,
)  # shares of a square: above one it is whole, below the other it is left out


@dataclass(frozen=True, eq=False)
class FirstBody:
    """Raw values as in records.body.Body, float64; the first `trained` rows are seen in training.
    rays (trained, 3): the viewing direction of each, along which its depth is a guess, unit
    length, body's frame. spacing (trained,): decimetres between neighbours."""

    means: Float64
    log_scales: Float64
    quats: Float64
    opacity_logits: Float64
    colours: Float64
    weights: Float64
    trained: int
    rays: Float64
    spacing: Float64


def body_on(scene: Scene, camera: Camera, count: int) -> FirstBody:
    """About `count` Gaussians. camera: of the reference frame, whose pose is the still one."""
    from scipy.ndimage import distance_transform_edt

    shown = scene.seen
    hidden = scene.body & ~shown & (scene.fade > 0)
    outer = Squares(hidden, scene.inner).chosen(OUTER, OUTER, 1.0)
    far = distance_transform_edt(np.pad(scene.body, 1, "edge"))[1:-1, 1:-1]
    behind = (far > INSET) & (scene.fade > 0)
    back = Squares(behind, scene.inner).chosen(LARGEST, OUTER, BACK_DETAIL)
    front = Squares(shown, scene.colour).at_most(max(count - len(outer) - len(back), count // 4))
    parts = [
        _placed(scene, camera, front, 1, scene.colour),
        _placed(scene, camera, outer, 1, scene.inner),
        _placed(scene, camera, back, -1, scene.inner),
    ]
    values = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
    means, log_scales, quats, logits, colours, weights = values
    trained = len(front)
    rays = means[:trained] - camera.centre
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    spacing = front[:, 2] * scene.middle / camera.fx
    return FirstBody(means, log_scales, quats, logits, colours, weights, trained, rays, spacing)


class Squares:
    """A mask and its colours in squares of SMALLEST to LARGEST pixels, from which a choice is made.
    Each level: pixels (h, w) of the mask in a square, the sums of their places (h, w, 2), and the
    deviation of their colours (h, w)."""

    def __init__(self, mask: NDArray[np.bool_], colour: Float32) -> None:
        height, width = (-(-side // LARGEST) * LARGEST for side in mask.shape)
        sums = np.zeros((height, width, 7))
        area = sums[: mask.shape[0], : mask.shape[1]]
        y, x = np.nonzero(mask)
        values = colour[y, x]
        squares = (values**2).sum(1)
        area[y, x] = np.column_stack([np.ones(len(y)), x + 0.5, y + 0.5, values, squares])
        self.levels: dict[int, tuple[Float64, Float64, Float64]] = {}
        side = 1
        while side < LARGEST:
            side *= 2
            rows, columns = height // side, width // side
            sums = sums.reshape(rows, 2, columns, 2, 7).sum((1, 3))
            own = np.maximum(sums[..., :1], 1e-9)
            mean = sums[..., 3:6] / own
            variance = sums[..., 6] / own[..., 0] - (mean**2).sum(-1)
            deviation = np.sqrt(np.maximum(variance, 0) / 3)
            self.levels[side] = sums[..., 0], sums[..., 1:3] / own, deviation

    def chosen(self, largest: int, smallest: int, detail: float) -> Float64:
        """(K, 3) x, y of the middle of what the mask has of each square, and the square's side. A
        square is divided while its colours deviate by more than `detail` (of 0..1), or the mask
        covers only a part."""
        side, found = largest, []
        undivided = np.ones(self.levels[largest][0].shape, bool)
        while True:
            pixels, middles, deviation = self.levels[side]
            divided = undivided & (pixels > 0) & ((deviation > detail) | (pixels < FULL * side**2))
            if side <= smallest:
                divided[:] = False
            take = undivided & ~divided & (pixels > LITTLE * side**2)
            found.append(np.column_stack([middles[take], np.full(int(take.sum()), float(side))]))
            if not divided.any():
                return np.concatenate(found)
            undivided = divided.repeat(2, 0).repeat(2, 1)
            side //= 2

    def at_most(self, count: int) -> Float64:
        """As many squares as `count` allows, all with the same detail."""
        low, high = 0.0, 1.0
        best = self.chosen(LARGEST, SMALLEST, high)
        for _ in range(TRIES):
            middle = (low + high) / 2
            found = self.chosen(LARGEST, SMALLEST, middle)
            if len(found) <= count:
                best, high = found, middle
            else:
                low = middle
        return best


def _placed(
    scene: Scene, camera: Camera, squares: Float64, side: int, colours: Float32
) -> tuple[Float64, Float64, Float64, Float64, Float64, Float64]:
    """side: 1 for the front, -1 for the back."""
    x, y, size = squares.T
    column, row = x.astype(int), y.astype(int)
    colour = colours[row, column]
    half = np.maximum(size / 2, 1)

    def point(x: Float64, y: Float64) -> Float64:
        """(K, 3) in the camera."""
        inside = (
            np.clip(y.astype(int), 0, len(scene.half) - 1),
            np.clip(x.astype(int), 0, scene.half.shape[1] - 1),
        )
        depth = scene.middle - side * scene.half[inside]
        return np.stack(
            [
                (x - scene.left - camera.cx) / camera.fx * depth,
                (y - camera.cy) / camera.fy * depth,
                depth,
            ],
            axis=1,
        )

    flat = (2 * half * scene.middle / camera.fx)[:, None]
    along = [
        _limited(point(x + dx * half, y + dy * half) - point(x - dx * half, y - dy * half), flat)
        for dx, dy in ((1, 0), (0, 1))
    ]
    rotation = camera.viewmat[:3, :3]
    means = (point(x, y) - camera.viewmat[:3, 3]) @ rotation
    first, second = (SPREAD * vectors @ rotation for vectors in along)
    normal = np.cross(first, second)
    normal *= (
        FLAT
        * np.minimum(np.linalg.norm(first, axis=1), np.linalg.norm(second, axis=1))
        / np.maximum(np.linalg.norm(normal, axis=1), 1e-12)
    )[:, None]
    spread = sum(v[:, :, None] * v[:, None, :] for v in (first, second, normal))
    values, axes = np.linalg.eigh(spread)
    axes[:, :, 2] *= np.linalg.det(axes)[:, None]
    quats = np.stack([quaternion_of(turn) for turn in axes])
    opacity = OPACITY * scene.fade[row, column]
    opacity = np.clip(opacity, 1e-3, OPACITY)
    return (
        means,
        0.5 * np.log(np.maximum(values, 1e-10)),
        quats,
        np.log(opacity / (1 - opacity)),
        (colour - 0.5) / C0,
        scene.follow[row, column],
    )


def _limited(vectors: Float64, flat: Float64) -> Float64:
    """Vectors (K, 3) no longer than STEEPEST times `flat` (K, 1)."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors * np.minimum(1, STEEPEST * flat / np.maximum(length, 1e-12))
