"""What is learnt once from a clip: where hair hangs, and the colours of skin, hair and clothes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...records.arrays import Float32
from ..mask_regions import Mask
from .colours import Colours, learn_colours
from .filters import box, dilated, one_piece, touching
from .hair import Hair, beneath, by_side, chin, decide
from .view import View

SKIN, HAIR, CLOTHES, EMPTY = range(4)  # parts; the last is the background
WIDEST = 2.4  # half widths of the face: hair reaches no farther to its sides
WIDER = 0.35  # half widths that hair may be wider with every height below the jaw
RING = 0.15  # of eyes to chin: hair is there above the forehead, if anywhere
AROUND = 4  # pixels beyond the person's outline, from which there is background
# Shares of a colour that a part never showed. Of clothes the frames show little, and they have most
# colours: an unknown colour is theirs.
RARE, RARE_CLOTHES = 1e-7, 2e-4
HALO = 3.0  # difference of log-likelihoods, twenty times as likely: that is no hair but background


@dataclass(frozen=True, eq=False)
class Person:
    """first: colours of SKIN, HAIR, CLOTHES and EMPTY where each is certain. colours: of SKIN, HAIR
    and CLOTHES, from more of the person."""

    first: Colours
    hair: Hair
    colours: Colours


def learn_person(views: Sequence[View]) -> Person:
    """From some frames of the clip."""
    first = first_colours(views)
    views = [without_halo(view, first) for view in views]
    hair = decide(views, first)
    seeds = [_seeds(view, hair) for view in views]
    parts = [
        np.concatenate(
            [view.lab[seed == part + 1] for view, seed in zip(views, seeds, strict=True)]
        )
        for part in (SKIN, HAIR, CLOTHES)
    ]
    return Person(first, hair, learn_colours(parts, (RARE, RARE, RARE_CLOTHES)))


def first_colours(views: Sequence[View]) -> Colours:
    """Of the middle of the face, above the forehead, on the chest, and outside the person. A colour
    that none of them has more than rarely tells nothing."""
    parts: list[list[Float32]] = [[], [], [], []]
    for view in views:
        place, across = view.place, np.abs(view.place.across)
        ring = dilated(place.oval, max(1, round(RING * place.height))) & ~place.oval
        where = {
            SKIN: place.inner & ~place.openings,
            HAIR: ring & (place.down < -0.25) & (across < 0.7),
            CLOTHES: (place.under > 0.62) & (across < 0.4),
        }
        for part, pixels in where.items():
            parts[part].append(view.lab[view.person & pixels])
        parts[EMPTY].append(view.lab[~dilated(view.outline, AROUND)])
    return learn_colours([np.concatenate(part) for part in parts], 4 * [RARE_CLOTHES])


def without_halo(view: View, first: Colours) -> View:
    """The view without what surrounds the head and clearly is background by its colour, if the
    network is not sure of it: its outline is wide where the background is dark."""
    place = view.place
    above = view.person & ~view.sure & (place.under < 0) & ~dilated(place.oval, 2)
    chances = first.likelihoods(view.lab[above])
    excess = np.zeros(above.shape, np.float32)
    excess[above] = chances[:, EMPTY] - np.maximum(chances[:, SKIN], chances[:, HAIR])
    empty = above & (box(excess, 1) > HALO)
    person = view.person & ~touching(empty, dilated(~view.person, 1))
    return replace(view, person=one_piece(person, place.inner))


def _seeds(view: View, hair: Hair) -> NDArray[np.uint8]:
    """(SIDE, SIDE) 1 more than the part that a pixel surely belongs to; 0 if it is uncertain."""
    place, person = view.place, view.person
    across = np.abs(place.across)
    hangs, reach = by_side(hair, place.across)
    out = np.zeros(person.shape, np.uint8)
    skin = person & place.inner & ~place.openings
    out[skin & (place.down < place.nose) if hair.beard else skin] = SKIN + 1
    if hair.beard:
        out[chin(view) | beneath(view)] = HAIR + 1
    ears = (across < 1.25) & (place.down > -0.25)
    above = (across < WIDEST) & (place.down < 0.15) & ~place.oval & ~ears
    beside = hangs & (across > 1.08) & (across < reach + 0.1)
    beside &= (place.down >= 0) & (place.down < place.lip)
    out[person & (above | beside)] = HAIR + 1
    chest = (place.under > 0.62) & (across < 0.4)
    shoulders: Mask = np.where(
        hangs,
        (across > reach + 0.4 + WIDER * place.under) & (place.under > 0.15),
        (across > 0.95) & (place.under > 0.28),
    )
    out[person & (chest | shoulders)] = CLOTHES + 1
    return out


def save_person(person: Person) -> dict[str, NDArray[Any]]:
    """The arrays of a person, for a file."""
    found = person.hair
    hair = np.array([*found.reach, *found.hangs, found.beard], np.float64)
    return {"first": person.first.log_share, "hair": hair, "colours": person.colours.log_share}


def load_person(arrays: dict[str, NDArray[Any]]) -> Person:
    """The inverse of `save_person`."""
    left, right, *flags = arrays["hair"].tolist()
    left_hangs, right_hangs, beard = map(bool, flags)
    hair = Hair((left, right), (left_hangs, right_hangs), beard)
    return Person(Colours(arrays["first"]), hair, Colours(arrays["colours"]))
