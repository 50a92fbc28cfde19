"""The first body, from one frame: what its masks and pixels show, at a depth that is a guess.

One camera sees no depth, no back, nothing behind the jaw and nothing outside the picture. So: the
silhouette of neck and torso is inflated; the neck goes on behind the jaw to the height of the
ears; a mirrored back closes the shape; and it goes on a little outside the picture, fading. That is
enough to turn the head and to move the camera around it by 30 degrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..dataset.masks import HEAD, NECK, TORSO, USUAL, parts_of
from ..records.arrays import Float32, Float64
from .body_field import Mask, between, inflated

LEAST = 0.01  # of the picture is torso, else there is no body
HALF_DEPTH = 1.0  # decimetres, of a chest
BEHIND = 0.15  # decimetres from the ears to the middle of the neck, backwards
NECK_WIDTH = 0.55  # of the head's, where no neck is seen
INSIDE = 0.04  # of the picture's width between the hidden neck and the head's outline
BESIDE, BELOW = 0.25, 0.2  # of the picture's sides, how far the shape goes on outside it
FALL = 0.35  # slope of a shoulder outside the picture
OUTLINE = 3  # pixels along the outline that show what is behind
BLUR = 6.0  # pixels, of the hidden skin
CELLS = 180  # of the coarse grid's longer side


@dataclass(frozen=True, eq=False)
class Scene:
    """The reference frame on a canvas that is larger than the picture: `left` more columns on
    either side, `bottom` more rows. colour (H, W, 3) in 0..1; inner: the same of surfaces that no
    frame shows; body, torso: masks, the neck behind
    the jaw included; seen: pixels of the picture that show the body; half (H, W): half the
    thickness, decimetres; follow (H, W): how far it follows the head; fade (H, W): 1 inside the
    picture, 0 at the canvas's edge. middle: depth of the body's middle, decimetres."""

    colour: Float32
    inner: Float32
    body: Mask
    torso: Mask
    seen: Mask
    half: Float64
    follow: Float64
    fade: Float64
    middle: float
    left: int


def scene_of(
    picture: NDArray[np.uint8],
    parsing: NDArray[np.uint8],
    focal: float,
    middle: float,
    ears: float | None,
) -> Scene | None:
    """None if the masks hold no torso. picture, parsing (H, W, 3): of the reference frame. focal:
    pixels. middle: depth of the neck's middle, decimetres. ears: row of the picture, None if it is
    not known."""
    parts = parts_of(parsing)
    head, neck, torso = (parts == USUAL.index(part) for part in (HEAD, NECK, TORSO))
    if torso.mean() < LEAST or not head.any():
        return None
    height, width = parts.shape
    torso = _behind(torso, head)
    if ears is None:
        rows = np.flatnonzero(head.any(1))
        ears = rows[0] + 0.6 * (rows[-1] - rows[0])
    column = _neck_column(neck, head, torso, int(ears))
    left, bottom = round(BESIDE * width), round(BELOW * height)
    canvas = ((0, bottom), (left, left))
    well_inside, inner = _inner_colours(picture, neck, torso & ~head, column)
    colour = np.where(well_inside[..., None], picture.astype(np.float32) / 255, inner)
    body, torso = (_extended(np.pad(m, canvas, "edge"), left) for m in (neck | torso, torso))
    column = np.pad(column, canvas)
    body |= column
    seen = np.pad(neck | (parts == USUAL.index(TORSO)), canvas)
    step = max(1, round(max(body.shape) / CELLS))
    cell = step * middle / focal
    coarse, small = _reduced(body, step), _reduced(torso, step)
    top = np.zeros_like(coarse)
    top[: int(ears) // step + 2] = True
    # Above the neck's top the cylinder goes on, so that it has no rounded end.
    padded = coarse | (top & coarse.any(0) & _reduced(column, step).any(0))
    half = inflated(padded, cell, HALF_DEPTH)
    follow = between(coarse, small, top & coarse)
    across = np.arange(body.shape[1])
    beside = np.maximum(left - across, across - (left + width - 1)).clip(0) / max(left, 1)
    under = (np.arange(body.shape[0]) - (height - 1)).clip(0) / max(bottom, 1)
    return Scene(
        np.pad(colour, (*canvas, (0, 0)), "edge"),
        np.pad(inner, (*canvas, (0, 0)), "edge"),
        body,
        torso,
        seen,
        _enlarged(half, step, body.shape),
        _enlarged(follow, step, body.shape),
        1 - np.maximum(beside[None], under[:, None]),
        middle,
        left,
    )


def _behind(torso: Mask, head: Mask) -> Mask:
    """The torso, with what hair or a beard hides: head pixels between two torso pixels of a row."""
    first = np.maximum.accumulate(torso, axis=1)
    last = np.maximum.accumulate(torso[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(torso | (head & first & last), np.bool_)


def _neck_column(neck: Mask, head: Mask, torso: Mask, ears: int) -> Mask:
    """(H, W) the neck behind the jaw, from the row of the ears down to where neck or torso is seen.
    As wide as the neck is in its usual row, and well inside the head's outline, beside which it
    would show when the head turns."""
    from scipy.ndimage import binary_erosion

    counts = neck.sum(1)
    rows = (
        np.flatnonzero(counts > 0.5 * counts.max(initial=0)) if counts.any() else np.zeros(0, int)
    )
    if len(rows) and neck.mean() > 1e-3:
        edges = np.array([np.flatnonzero(neck[row])[[0, -1]] for row in rows])
        x0, x1 = np.median(edges[:, 0]), np.median(edges[:, 1]) + 1
        bottom = int(rows[-1])
    else:
        across = np.flatnonzero(head.any(0))
        middle, wide = (across[0] + across[-1] + 1) / 2, NECK_WIDTH * len(across)
        x0, x1 = middle - wide / 2, middle + wide / 2
        bottom = int(np.flatnonzero(torso.any(1))[0])
    out = np.zeros_like(neck)
    out[max(ears, 0) : bottom + 1, max(int(x0), 0) : int(np.ceil(x1))] = True
    jaw = binary_erosion(head | neck | torso, iterations=max(1, round(INSIDE * neck.shape[1])))
    return out & (jaw | neck | torso)


def _inner_colours(
    picture: NDArray[np.uint8], neck: Mask, torso: Mask, column: Mask
) -> tuple[Mask, Float32]:
    """(H, W) pixels well inside the outline, which shows a little of what is behind, and (H, W, 3)
    in 0..1 the colours of the others. Torso: of the nearest such pixel. Neck: of the skin straight
    below."""
    from scipy.ndimage import binary_erosion, distance_transform_edt

    values = picture.astype(np.float32) / 255
    known = neck | torso
    inner = binary_erosion(known, iterations=OUTLINE, border_value=1)
    inner = inner if inner.any() else known
    _, (y, x) = distance_transform_edt(~inner, return_indices=True)
    out = values[y, x]
    skin = inner & neck
    if skin.any():
        out[column] = np.broadcast_to(_skin(values, skin), out.shape)[column]
    return inner, np.asarray(out, np.float32)


def _skin(values: NDArray[np.floating], skin: Mask) -> Float32:
    """(W, 3) the median colour of each column's skin, blurred; of the nearest column where there is
    none."""
    from scipy.ndimage import gaussian_filter1d

    columns = np.flatnonzero(skin.any(0))
    colours = np.array([np.median(values[skin[:, x], x], axis=0) for x in columns])
    nearest = np.abs(np.arange(skin.shape[1])[:, None] - columns).argmin(1)
    return np.asarray(gaussian_filter1d(colours[nearest], BLUR, axis=0, mode="nearest"), np.float32)


def _extended(mask: Mask, left: int) -> Mask:
    """The mask on the canvas, whose shoulders fall outside the picture."""
    out = mask.copy()
    for side, columns in ((left, range(left)), (mask.shape[1] - left - 1, range(left))):
        rows = np.flatnonzero(mask[:, side])
        if not len(rows):
            continue
        for k in columns:
            place = left - 1 - k if side == left else side + 1 + k
            out[: int(rows[0] + FALL * (k + 1)), place] = False
    return out


def _reduced(mask: Mask, step: int) -> Mask:
    height, width = (-(-side // step) * step for side in mask.shape)
    padded = np.zeros((height, width))
    padded[: mask.shape[0], : mask.shape[1]] = mask
    return padded.reshape(height // step, step, width // step, step).mean((1, 3)) >= 0.5


def _enlarged(values: Float64, step: int, shape: tuple[int, ...]) -> Float64:
    """Linear between the middles of cells."""
    from scipy.ndimage import map_coordinates

    rows, columns = ((np.arange(side) + 0.5) / step - 0.5 for side in shape[:2])
    grid = np.meshgrid(rows, columns, indexing="ij")
    return np.asarray(map_coordinates(values, grid, order=1, mode="nearest"), np.float64)
