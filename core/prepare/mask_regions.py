"""Segmentation of a picture: head (with hair), neck, torso, background. Needs scipy.

The person's outline comes from a network, sharpened where the empty background is known; the head
ends at the line of the jaw; below it skin is neck, hair is head, and the rest is torso.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float64
from .mesh import JAW_LINE, OVAL
from .pictures import Pixels

Mask = NDArray[np.bool_]
BACKGROUND, HEAD, NECK, TORSO = 0, 1, 2, 3
# RGB of parsing/ (its own note uses OpenCV's order, BGR).
COLOURS = np.array([(255, 255, 255), (0, 0, 255), (0, 255, 0), (255, 0, 0)], np.uint8)

# Probabilities of the network, whose outline lies a little inside the true one. Below the second
# there is only background.
PERSON, PERHAPS = 0.25, 0.1
BAND = 6 / 512  # of the picture's side: how far the network's outline may be wrong
LEAST_CONTRAST = 8.0  # grey levels that the person must differ from the background
EDGE = 0.25  # of the contrast between them: hair and soft edges belong to the person
LOBES = (6, -7)  # places in JAW_LINE at the ear lobes' height
FACES = 400_000  # pixels that a colour is learnt from, at most
BENEATH = 0.75  # half widths of the face: pixels this near to its middle are under the chin
# Half widths of the face that hair reaches to the sides, above the eyes and below; and the farthest
# that a neck reaches, to the sides and (in heights of the face) down.
WIDEST, NECK_BOX = (2.4, 1.9), (1.5, 0.8)
SHADE = 12.0  # by how much skin is favoured in the shadow there, squared standard deviations
TOO_ALIKE = 2.5  # standard deviations between hair and clothes, below which they look the same


@dataclass(frozen=True, eq=False)
class Colour:
    """Mean (3,) and inverse covariance (3, 3) of a colour, luma counted half."""

    mean: Float64
    inverse: Float64
    log_spread: float

    def distance(self, values: Float64) -> Float64:
        """(...,) distance of the values (..., 3) from this colour; comparable between colours."""
        apart = values - self.mean
        square = np.einsum("...i,ij,...j->...", apart, self.inverse, apart)
        return np.asarray(square + self.log_spread)


def ycc(pixels: NDArray[np.generic]) -> Float64:
    """(..., 3) half of luma, and two differences of colour."""
    r, g, b = np.moveaxis(np.asarray(pixels, np.float64), -1, 0)
    luma = 0.299 * r + 0.587 * g + 0.114 * b
    return np.stack([luma / 2, 0.564 * (b - luma), 0.713 * (r - luma)], -1)


def learn_colour(pixels: NDArray[np.generic]) -> Colour | None:
    """The colour of (n, 3) pixels; None if they are too few."""
    if len(pixels) < 50:
        return None
    values = ycc(pixels[:: max(1, len(pixels) // FACES)])
    middle = np.median(values, 0)
    near = np.abs(values - middle).sum(1)
    values = values[near <= np.percentile(near, 85)]
    covariance = np.cov(values.T) + 9 * np.eye(3)
    spread = float(np.linalg.slogdet(covariance)[1])
    return Colour(values.mean(0), np.asarray(np.linalg.inv(covariance), np.float64), spread)


@dataclass(frozen=True, eq=False)
class Palette:
    """Colours of the clip's person; hair and clothes only where they differ from the rest."""

    skin: Colour | None
    hair: Colour | None
    clothes: Colour | None


def polygon(points: Float64, size: int) -> Mask:
    """(size, size) pixels inside the closed line through points (n, 2), x and y."""
    from PIL import Image, ImageDraw

    picture = Image.new("1", (size, size))
    ImageDraw.Draw(picture).polygon([(float(x), float(y)) for x, y in points], fill=1)
    return np.asarray(picture, bool)


@dataclass(frozen=True, eq=False)
class Place:
    """Positions of the pixels (H, W) relative to a face, which may be tilted. sideways: from its
    middle, in half widths of the face. under: below the line at which the head ends, in heights of
    the face."""

    sideways: Float64
    under: Float64


def place_pixels(face: Float64, size: int) -> Place:
    """The pixels' positions relative to `face` (478, 2 or more), in pixels. The head ends at the
    line of the jaw, and at its sides at the height of the ear lobes."""
    line, oval = face[JAW_LINE, :2], face[OVAL, :2]
    across = line[-1] - line[0]
    across = across / max(float(np.linalg.norm(across)), 1e-6)
    axes = np.stack([across, [-across[1], across[0]]], 1)
    line, oval = line @ axes, oval @ axes
    rows, columns = np.mgrid[:size, :size] + 0.5
    along = columns * axes[0, 0] + rows * axes[1, 0]
    down = columns * axes[0, 1] + rows * axes[1, 1]
    first = int(np.floor(along.min()))
    steps = np.arange(first, int(np.ceil(along.max())) + 1)
    ends = np.full(len(steps), -np.inf)
    for (x0, y0), (x1, y1) in itertools.pairwise(line):
        inside = (steps >= min(x0, x1)) & (steps <= max(x0, x1))
        if x0 != x1:
            heights = y0 + (steps[inside] - x0) / (x1 - x0) * (y1 - y0)
            ends[inside] = np.maximum(ends[inside], heights)
    # Not above the ear lobes: at the ears the line runs nearly straight down.
    lobes = np.where(steps < line[:, 0].mean(), line[LOBES[0], 1], line[LOBES[1], 1])
    ends = np.maximum(ends, lobes)
    half = max(float(np.ptp(oval[:, 0])) / 2, 1e-6)
    sideways = np.abs(along - oval[:, 0].mean()) / half
    index = np.clip(np.rint(along).astype(int) - first, 0, len(steps) - 1)
    under = (down - ends[index]) / max(float(np.ptp(oval[:, 1])), 1e-6)
    return Place(sideways, under)


def learn_palette(pictures: list[Pixels], people: list[Mask], faces: list[Float64]) -> Palette:
    """Learn from some frames: skin inside the face, hair above it, clothes far below it."""
    skins, hairs, clothes = [], [], []
    for pixels, person, face in zip(pictures, people, faces, strict=True):
        size = len(pixels)
        rows, columns = np.mgrid[:size, :size]
        oval = face[OVAL, :2]
        inside = polygon(oval.mean(0) + 0.7 * (oval - oval.mean(0)), size)
        top, bottom = oval[:, 1].min(), oval[:, 1].max()
        height = bottom - top
        x0, x1 = oval[:, 0].min(), oval[:, 0].max()
        over = (rows < top - 0.12 * height) & (columns > x0) & (columns < x1)
        below = rows > bottom + 0.55 * height
        skins.append(pixels[inside & person])
        hairs.append(pixels[over & person])
        clothes.append(pixels[below & person])
    skin, hair, cloth = (learn_colour(np.concatenate(part)) for part in (skins, hairs, clothes))
    if skin is not None and hair is not None and _alike(skin, hair):
        hair = None
    if hair is not None and cloth is not None and _alike(hair, cloth):
        hair = None
    if skin is not None and cloth is not None and _alike(skin, cloth):
        cloth = None
    return Palette(skin, hair, cloth)


def _alike(a: Colour, b: Colour) -> bool:
    apart = a.mean - b.mean
    pooled = np.linalg.inv(np.linalg.inv(a.inverse) / 2 + np.linalg.inv(b.inverse) / 2)
    return float(np.sqrt(apart @ pooled @ apart)) < TOO_ALIKE


def sharpen(person: Mask, pixels: Pixels, background: Pixels, known: Mask) -> Mask:
    """The person's outline where it differs from the empty background (where known), within
    a narrow band around the network's outline."""
    from scipy.ndimage import (
        binary_dilation,
        binary_erosion,
        gaussian_filter,
        maximum_filter,
    )

    width = max(2, round(BAND * len(person)))
    band = binary_dilation(person, iterations=width) & ~binary_erosion(
        person, iterations=width, border_value=1
    )
    apart = np.abs(pixels.astype(np.float32) - background.astype(np.float32)).max(2)
    apart = gaussian_filter(apart, 0.6)
    outside = known & ~binary_dilation(person, iterations=2 * width)
    noise = float(np.percentile(apart[outside], 98)) if outside.any() else 0.0
    full = maximum_filter(apart, 2 * width + 1)
    least = max(LEAST_CONTRAST, 1.5 * noise)
    limit = np.maximum(least, EDGE * full)
    decided = band & known & (full > 3 * least)
    out = np.where(decided, apart > limit, person)
    return _majority(out, 3)


def split(person: Mask, pixels: Pixels, face: Float64, palette: Palette) -> NDArray[np.uint8]:
    """(H, W) BACKGROUND, HEAD, NECK or TORSO for a person whose face mesh is known."""
    place = place_pixels(face, len(person))
    whole = _one_piece(person, face[OVAL, :2])
    above = place.under < 0
    # Farther out than hair reaches, the outline contains something else: a chair, a raised hand.
    near = place.sideways < np.where(place.under < -0.6, WIDEST[0], WIDEST[1])
    out = np.where(whole, TORSO, BACKGROUND).astype(np.uint8)
    out[whole & above & near] = HEAD
    below = whole & ~above
    if palette.skin is None or not below.any():
        out[below & (place.under < 0.25)] = NECK
        return out
    kinds = _kinds(pixels, below, place, palette)
    neck = _solid((kinds == NECK) & (place.sideways < NECK_BOX[0]) & (place.under < NECK_BOX[1]))
    neck &= _touching(neck, below & (place.sideways < BENEATH) & (place.under < 0.3))
    out[below & neck] = NECK
    hair = _solid((kinds == HEAD) & near)
    hair &= _touching(hair | (out == HEAD), out == HEAD)
    out[below & hair] = HEAD
    return out


def _one_piece(person: Mask, oval: Float64) -> Mask:
    """The piece of the outline that contains the face, with holes in the face filled; other pieces
    are passers-by or errors."""
    from scipy.ndimage import label

    inner = polygon(oval.mean(0) + 0.9 * (oval - oval.mean(0)), len(person))
    pieces, count = label(person | inner)
    if count <= 1 or not inner.any():
        return person | inner
    return np.asarray(pieces == np.bincount(pieces[inner]).argmax())


def _kinds(pixels: Pixels, below: Mask, place: Place, palette: Palette) -> NDArray[np.uint8]:
    """(H, W) the likely region of each pixel below the head's end: NECK, TORSO, HEAD (hair)."""
    assert palette.skin is not None
    values, sideways, under = ycc(pixels[below]), place.sideways[below], place.under[below]
    # Shadow under the chin changes the skin's colour: near the jaw skin is favoured.
    shade = SHADE * np.exp(-((under / 0.2) ** 2)) * (sideways < BENEATH)
    distances = {NECK: palette.skin.distance(values) - shade}
    if palette.clothes is not None:
        distances[TORSO] = palette.clothes.distance(values)
    else:
        distances[TORSO] = np.where(under > 0.45, -np.inf, np.inf)
    if palette.hair is not None:  # hair hangs at the sides of the neck
        distances[HEAD] = np.where(sideways < BENEATH, np.inf, palette.hair.distance(values))
    labels = np.array(list(distances), np.uint8)
    out = np.zeros(below.shape, np.uint8)
    out[below] = labels[np.argmin(list(distances.values()), 0)]
    return out


def _solid(mask: Mask) -> Mask:
    """The mask without specks and holes."""
    from scipy.ndimage import binary_fill_holes, binary_opening

    return np.asarray(binary_fill_holes(binary_opening(_majority(mask, 5))))


def _majority(mask: Mask, side: int) -> Mask:
    """The majority of the side x side pixels around each pixel: a median, but ten times as fast."""
    from scipy.ndimage import uniform_filter

    return np.asarray(uniform_filter(mask.astype(np.float32), side) > 0.5)


def _touching(mask: Mask, start: Mask) -> Mask:
    """The pieces of the mask that have a pixel of `start`."""
    from scipy.ndimage import label

    pieces, count = label(mask)
    wanted = np.zeros(count + 1, bool)
    wanted[pieces[start & mask]] = True
    wanted[0] = False
    return np.asarray(wanted[pieces])


def to_picture(regions: NDArray[np.uint8]) -> Pixels:
    """(H, W, 3) RGB, as in parsing/."""
    return COLOURS[regions]


def to_regions(picture: Pixels) -> NDArray[np.uint8]:
    """(H, W) regions of a parsing picture; any other colour is background."""
    out = np.zeros(picture.shape[:2], np.uint8)
    for region in (HEAD, NECK, TORSO):
        out[(picture == COLOURS[region]).all(2)] = region
    return out
