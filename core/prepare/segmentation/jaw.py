"""What lies beside the jaw and is no face: collar, jacket, and the wall above the shoulder.

The mesh's outline is uncertain there by some pixels, and more in turned views. Colour decides in a
narrow band along it, and only where the difference is clear: a face keeps its shadows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...records.arrays import Float32
from ..mask_regions import Mask
from .filters import box, dilated, eroded, span, touching
from .hair import by_side
from .person import CLOTHES, EMPTY, HAIR, RARE_CLOTHES, SKIN, Person
from .view import View

LOBES = 0.12  # below the base of the nose, as a share of eyes to chin: ears end there
BAND = 0.06  # of eyes to chin: how far the jaw may be from the mesh's outline
CHIN = 0.45  # half widths: below it is neck, in the jaw's shadow
CLEAR = 1.5  # difference of log-likelihoods
LEAST, MOST = -2.0, 5.0  # what one pixel says: two of three neighbours outweigh the third
UNKNOWN = 1e-5  # share in the face of a colour that it never showed, in light or shadow
SHADES = (1.5, 2.2, 3.2)  # skin in shadow is skin's colour divided by these
# Where more of the cheek's edge looks like clothes or background, it is in too deep a shadow for
# colours to tell.
DEEP = 0.1


def beside_jaw(view: View, person: Person) -> tuple[View, Mask]:
    """The view without the background beside the jaw, and (SIDE, SIDE) the clothes there: pixels
    near the jaw's outline, below the ear lobes, that are joined to what is outside of it."""
    place = view.place
    width = max(2, round(BAND * place.height))
    clothes, wall = np.zeros_like(place.oval), np.zeros_like(place.oval)
    low = place.oval & (place.down > 0)
    if not low.any():
        return view, clothes
    part = tuple(span(np.any(low, axis), width + 2) for axis in (1, 0))
    oval, across, down = place.oval[part], np.abs(place.across[part]), place.down[part]
    ring = dilated(oval, width + 2) & ~eroded(oval, width + 2) & (across > CHIN - 0.1)
    excess, wallish = _excess(view, person, part, ring)
    other = (excess > CLEAR) & (box(excess, 1) > 0)
    other = eroded(dilated(other, 1), 1)  # with the mixed colours of a collar's edge
    band = dilated(oval, width) & ~eroded(oval, width) & (across > CHIN) & (down > 0)
    right, low = place.across[part] > 0, down > place.nose + LOBES
    for side in (right, ~right):
        cheek = band & eroded(oval, 1) & ~low & side
        if other[cheek].sum() > DEEP * cheek.sum():
            band &= ~side
    beyond = ~dilated(oval, 1)
    found = touching(other & (band | beyond), beyond) & band & low
    empty = found & wallish
    if empty.any():
        empty &= touching(empty, dilated(~view.person[part], 1))
    wall[part], clothes[part] = empty, found & ~empty
    return replace(view, person=view.person & ~wall), clothes


def _excess(
    view: View, person: Person, part: tuple[slice, ...], where: Mask
) -> tuple[Float32, Mask]:
    """By how much clothes, or background, are likelier than the face in a part of the view, LEAST
    to MOST; background rather than clothes. A colour that none of them has tells little. LEAST but
    at the pixels of the part in `where`."""
    lab = view.lab[part][where]
    chances = person.colours.likelihoods(lab)
    face = chances[:, SKIN].copy()
    neutral = np.array([0, 128, 128], np.float32)
    for shade in SHADES:
        lit = (lab - neutral) * np.float32(shade) + neutral
        np.maximum(face, person.colours.likelihoods(lit)[:, SKIN], out=face)
    hangs, _ = by_side(person.hair, view.place.across[part][where])
    hair = hangs | person.hair.beard
    face[hair] = np.maximum(face, chances[:, HAIR])[hair]
    clothes, empty = chances[:, CLOTHES], person.first.likelihoods(lab)[:, EMPTY]
    more = np.maximum(
        clothes - np.maximum(face, np.log(np.float32(UNKNOWN))),
        empty - np.maximum(face, np.log(np.float32(RARE_CLOTHES))),
    )
    excess, wallish = np.full(where.shape, LEAST, np.float32), np.zeros_like(where)
    excess[where], wallish[where] = np.clip(more, LEAST, MOST), empty > clothes
    return excess, wallish
