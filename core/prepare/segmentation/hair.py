"""Does hair hang beside the mouth, or a beard below the chin? Decided once for a clip, hair for
each side of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...records.arrays import Float32, Float64
from ..mask_regions import Mask
from .colours import Colours, learn_colours
from .view import View

ROWS = 7  # heights between the base of the nose and the lower lip at which the person is measured
LOW = 30  # percentile over these rows: a lock or an ear in some of them is no hanging hair
CHEEK = 0.8  # half widths: up to here there is face
HANGS = 1.12  # half widths. The mesh's outline is at 1, the cheeks end up to a tenth beyond it
FRONTAL, UPRIGHT = 0.25, 0.3  # half widths the nose is off the middle; radians
FEW = 3  # frames; if fewer are frontal and upright, all are measured
CLEARLY = 2.0  # mean difference of log-likelihoods: seven times as likely
BEARD = 0.6  # of the pixels below the chin
UNSEEN = 2e-4  # share of a colour that a part never showed


@dataclass(frozen=True)
class Hair:
    """reach: how far the person reaches from the face's middle at the height of the mouth, half
    widths of the face; hangs: hair is there. Left and right of the picture. beard: it goes on below
    the chin."""

    reach: tuple[float, float]
    hangs: tuple[bool, bool]
    beard: bool = False

    @property
    def anywhere(self) -> bool:
        """There may be hair below the jaw."""
        return self.beard or any(self.hangs)


def by_side(hair: Hair, across: Float32) -> tuple[Mask, Float32]:
    """`hangs` and `reach` of the side of the face that each pixel is on."""
    right = across > 0
    reach = np.where(right, np.float32(hair.reach[1]), np.float32(hair.reach[0]))
    return np.where(right, hair.hangs[1], hair.hangs[0]), reach


def decide(views: Sequence[View], colours: Colours) -> Hair:
    """From some frames of the clip and its `first_colours`: the person is wider than a face at the
    mouth, and what is there does not look like the background or the clothes rather than like
    hair."""
    good = [
        view for view in views
        if abs(view.place.turn) < FRONTAL and abs(view.place.tilt) < UPRIGHT
    ]  # fmt: skip
    measured = np.array([_reach(view) for view in (good if len(good) >= FEW else views)])
    reach: Float64 = np.median(measured, 0)
    left, right = float(reach[0]), float(reach[1])
    hangs = (
        left > HANGS and _like_hair(views, colours, -1, left),
        right > HANGS and _like_hair(views, colours, 1, right),
    )
    return Hair((left, right), hangs, _has_beard(views))


def chin(view: View) -> Mask:
    """The pixels of the chin, where a beard is if there is one."""
    place = view.place
    low = (place.down > place.lip + 0.05) & (place.down < 0.95)
    return place.oval & ~place.openings & low & (np.abs(place.across) < 0.4)


def beneath(view: View) -> Mask:
    """The pixels below the chin, where a long beard is if there is one."""
    place = view.place
    near = (place.under > 0.03) & (place.under < 0.18)
    return view.person & near & (np.abs(place.across) < 0.3)


def _has_beard(views: Sequence[View]) -> bool:
    """Below the chin most pixels have a colour that the face above the mouth does not have, and the
    chin has. Shadow alone gives the first, stubble or a shaded chin the second."""
    cheeks = [
        view.lab[view.place.inner & ~view.place.openings & (view.place.down < view.place.nose)]
        for view in views
    ]
    parts = [cheeks, *([view.lab[where(view)] for view in views] for where in (chin, beneath))]
    skin, beard, below = (np.concatenate(part) for part in parts)
    if not len(below):
        return False
    colours = learn_colours([skin, beard], [UNSEEN, UNSEEN])
    as_skin, as_beard = colours.likelihoods(below).T
    other = float((as_skin < np.log(5 * UNSEEN)).mean())
    alike = float((as_beard - as_skin > 1).mean())
    return min(other, alike) > BEARD


def _reach(view: View) -> tuple[float, float]:
    place = view.place
    row = np.floor((place.down - place.nose) / max(place.lip - place.nose, 1e-6) * ROWS)
    out = []
    for side in (-1, 1):
        across = place.across * side
        beside = (row >= 0) & (row < ROWS) & (across > CHEEK)
        ends = np.zeros(ROWS)
        np.maximum.at(ends, row[beside].astype(np.intp), across[beside])
        empty = beside & ~view.person
        np.minimum.at(ends, row[empty].astype(np.intp), across[empty])
        out.append(float(np.percentile(ends, LOW)))
    return out[0], out[1]


def _like_hair(views: Sequence[View], colours: Colours, side: int, reach: float) -> bool:
    found = []
    for view in views:
        place, across = view.place, view.place.across * side
        beside = view.person & (across > 1.08) & (across < reach)
        found.append(view.lab[beside & (place.down > place.nose) & (place.down < place.lip)])
    values = np.concatenate(found)
    if not len(values):
        return False
    hair, clothes, background = colours.likelihoods(values).mean(0)[1:]
    return bool(max(background, clothes) - hair < CLEARLY)
