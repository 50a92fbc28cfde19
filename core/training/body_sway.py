"""The body's own movement before the camera, from the frames: where the torso of each lies against
the reference frame. One camera sees a shift, a roll and a change of size; these are one rigid
motion of a body at a known distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..dataset.clip import TrainingClip
from ..dataset.masks import TORSO, USUAL, parts_of
from ..images.pillow import resized
from ..records.arrays import Float64

SIDE = 128  # pixels of the longer side in which the torso is compared
MOST = 1500  # frames compared; between them the motion is interpolated
ROUNDS = 12  # of Gauss-Newton
STILL = 1e-3  # pixels: a smaller step ends the rounds
RIDGE = 1e-2  # share of the squared slopes of a shift, added to every direction
NOISE = 1e-3  # of 0..1 in a pixel: what moves by less than this shows does not move
FARTHEST = 0.15  # of the picture; a larger motion was not found
GAIN = 0.8  # of the error without motion: above it, the motion is noise
LEAST = 16  # pixels of torso
SMOOTH = 2.0  # frames, of the blur over time


def body_motions(
    clip: TrainingClip, rows: NDArray[np.int64], reference: int, depth: float
) -> Float64 | None:
    """(F, 4, 4) rigid motion of the body in the camera's frame at every frame, the identity at the
    reference; None if no motion explains the frames better than none. rows: frames with pictures,
    ascending. depth: of the body, decimetres."""
    scale = min(1.0, SIDE / max(clip.width, clip.height))
    size = max(8, round(clip.width * scale)), max(8, round(clip.height * scale))
    torso = _torso(clip, reference, size)
    if torso.sum() < LEAST:
        return None
    aligned = Aligned(_grey(clip, reference, size), torso)
    some = rows[:: max(1, -(-len(rows) // MOST))]
    found, here, errors = np.zeros((len(some), 4)), np.zeros(4), np.zeros(2)
    for k, row in enumerate(some):
        picture = _grey(clip, int(row), size)
        found[k] = here = aligned.to(picture, here)
        errors += aligned.error(picture, np.zeros(4)), aligned.error(picture, here)
    if errors[1] > GAIN * errors[0]:
        return None
    every = np.arange(len(clip))
    values = _smoothed(np.stack([np.interp(every, some, found[:, k]) for k in range(4)], axis=1))
    values[reference] = 0
    return np.array([_rigid(by, aligned.middle / scale, clip, depth, scale) for by in values])


class Aligned:
    """Aligns pictures with a reference inside a mask by shift x, y (pixels), roll (radians) and
    relative size, about the mask's middle (Baker and Matthews 2004: inverse compositional)."""

    def __init__(self, reference: Float64, mask: NDArray[np.bool_]) -> None:
        self._y, self._x = np.nonzero(mask)
        self.middle = np.array([self._x.mean(), self._y.mean()])
        self._limit = FARTHEST * max(reference.shape)
        slope_y, slope_x = (np.gradient(reference, axis=axis)[mask] for axis in (0, 1))
        dx, dy = self._x - self.middle[0], self._y - self.middle[1]
        self._slopes = np.stack(
            [slope_x, slope_y, slope_y * dx - slope_x * dy, slope_x * dx + slope_y * dy], axis=1
        )
        normal = self._slopes.T @ self._slopes
        far = float((dx**2 + dy**2).mean())
        ridge = RIDGE * np.diag(normal)[:2].mean() + NOISE**2 * len(dx)
        self._inverse = np.linalg.inv(normal + ridge * np.diag([1.0, 1.0, far, far]))
        self._reference = reference[mask]

    def to(self, picture: Float64, start: Float64) -> Float64:
        """(4,) that takes the reference to the picture; zeros if it is too far."""
        now = start.copy()
        for _ in range(ROUNDS):
            step = self._inverse @ (self._slopes.T @ self._residual(picture, now))
            now -= step
            if np.abs(step[:2]).max() < STILL:
                break
        reach = np.abs(now) * (1, 1, *(2 * [np.abs(self._x - self.middle[0]).max()]))
        return now if np.isfinite(now).all() and reach.max() < self._limit else np.zeros(4)

    def error(self, picture: Float64, by: Float64) -> float:
        """Mean square difference from the reference."""
        return float((self._residual(picture, by) ** 2).mean())

    def _residual(self, picture: Float64, by: Float64) -> Float64:
        from scipy.ndimage import map_coordinates

        x, y = self.moved(by)
        there = map_coordinates(picture, [y, x], order=1, mode="nearest")
        return np.asarray(there - self._reference, np.float64)

    def moved(self, by: Float64) -> tuple[Float64, Float64]:
        dx, dy = self._x - self.middle[0], self._y - self.middle[1]
        cosine, sine = (1 + by[3]) * np.cos(by[2]), (1 + by[3]) * np.sin(by[2])
        x = self.middle[0] + by[0] + cosine * dx - sine * dy
        y = self.middle[1] + by[1] + sine * dx + cosine * dy
        return x, y


def _rigid(by: Float64, middle: Float64, clip: TrainingClip, depth: float, scale: float) -> Float64:
    """(4, 4) in the camera: the torso's middle moves as seen, the rest turns about it."""
    shift, roll, size = by[:2] / scale, by[2], by[3]
    centre = np.array([clip.width / 2, clip.height / 2])

    def point(pixel: Float64, z: float) -> Float64:
        return np.array([*((pixel - centre) / clip.focal * z), z])

    out = np.eye(4)
    out[:2, :2] = [[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]]
    out[:3, 3] = point(middle + shift, depth / (1 + size)) - out[:3, :3] @ point(middle, depth)
    return out


def _smoothed(values: Float64) -> Float64:
    from scipy.ndimage import gaussian_filter1d, median_filter

    steady = median_filter(values, size=(3, 1), mode="nearest")
    return np.asarray(gaussian_filter1d(steady, SMOOTH, axis=0, mode="nearest"), np.float64)


def _grey(clip: TrainingClip, row: int, size: tuple[int, int]) -> Float64:
    return np.asarray(resized(clip.original(row), *size, "BOX"), np.float64).mean(-1) / 255


def _torso(clip: TrainingClip, row: int, size: tuple[int, int]) -> NDArray[np.bool_]:
    mask = parts_of(clip.parsing(row)) == USUAL.index(TORSO)
    return resized((mask * 255).astype(np.uint8), *size, "BOX") > 127
