"""The regions of a frame by the classes of a network that tells the parts of a person apart."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...records.arrays import Float32, Float64
from ..mask_regions import BACKGROUND, HEAD, NECK, TORSO, Mask, Regions
from ..pictures import Pixels
from .split import EARS, enlarge_regions, joined_to_head
from .view import View, view_of

NECK_DOWN, NECK_HALF = 0.7, 1.0  # heights and half widths of the face: skin beyond is the body's


def split_by_classes(
    pixels: Pixels, outline: Mask, face: Float64, chances: Mapping[str, Float32]
) -> Regions:
    """(H, H) BACKGROUND, HEAD, NECK or TORSO of a frame (H, H, 3) with its persons' outline (H, H)
    and face mesh (478, 2 or more) in pixels. chances: as of `Network.find`."""
    view = view_of(pixels, outline, face)
    return enlarge_regions(_regions(view, chances), view, pixels, outline)


def _regions(view: View, chances: Mapping[str, Float32]) -> Regions:
    place, body = view.place, view.person
    none = np.zeros(body.shape, np.float32)
    head, skin, torso, other = (
        chances.get(kind, none) for kind in ("head", "skin", "torso", "other")
    )
    above = place.under < 0
    head = np.where(above, head + other, head)
    torso = np.where(above, torso, torso + other)
    part = np.argmax([torso, head, skin], 0)
    across = np.abs(place.across)
    is_skin = body & (part == 2)
    is_head = body & ((part == 1) | (is_skin & above & (across < EARS)) | place.inner)
    near = (place.under < NECK_DOWN) & (across < NECK_HALF)
    neck = joined_to_head(is_skin & near & ~is_head, is_head, view)
    out = np.where(body, TORSO, BACKGROUND).astype(np.uint8)
    out[neck] = NECK
    out[is_head] = HEAD
    return out
