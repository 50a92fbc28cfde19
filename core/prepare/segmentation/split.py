"""Head, neck and torso of a person in a frame, by position and the clip's colours.

The head ends at the jaw, and at its sides at the ear lobes; what the face's own outline contains
is head everywhere. The rest of the person is decided by colour: skin below the jaw is neck, hair
that hangs beside the mouth is head, everything else is torso. The rule works at a fixed size; a
guided filter brings its regions to the frame's pixels."""

from __future__ import annotations

import numpy as np

from ...records.arrays import Float32, Float64
from ..mask_regions import BACKGROUND, HEAD, NECK, TORSO, Mask, Regions
from ..pictures import Pixels
from .filters import Guide, dilated, doubled, enlarged, eroded, small_pieces, solid, span, touching
from .hair import Hair, by_side
from .jaw import LOBES, beside_jaw
from .person import WIDER, WIDEST, Person, without_halo
from .view import SIDE, View, grey, view_of

# Half widths of the face: cheeks and ears below the nose reach no farther.
EARS = 1.35
NEVER = -30.0  # the logarithm of a probability that is none
# Where skin is neck: three quarters as wide as the face, around an axis that lies behind it, so
# that the neck's middle moves against a turning nose; half a height down. PULL: log-likelihood for
# each half width or height beyond. SHADE: for what may be skin in the jaw's shadow, which falls off
# within SHADE_END heights.
NECK_HALF, NECK_DOWN, PULL, SHADE, SHADE_END = 0.75, 0.45, 8.0, 4.0, 0.15
AXIS, FARTHEST = -0.7, 0.4  # half widths for each half width of the nose; at most
CHEEK_HALF = 1.25  # half widths: skin above the jaw
# Where hair is: outside the face, out to the reach measured at the mouth, and WIDER on both sides
# below.
HAIR_FROM, HAIR_LEAST, HAIR_PULL, MARGIN, OUTER_PULL = 0.8, 0.3, 6.0, 0.12, 10.0
HAIR_DOWN, DOWN_PULL = 0.9, 3.0
BEARD_HALF = 0.9  # half widths: a beard is below the face
DARK, DARK_PULL = 70.0, 6.0  # lightness below which the gap between hair and neck is hair's shadow
BLUR, EDGE = 0.06, 40.0  # radius, as a share of eyes to chin, and noise of the guided filter
THIN = 0.03  # of eyes to chin: a piece joined to the neck by less is no neck, but a collar
SMALL, CHEST = 0.25, 0.3  # of eyes to chin; heights of the face below the jaw
SURELY = 0.75  # of a pixel of the frame that is clothes
FINE = 2  # pixels at SIDE: how far the frame's own edges move those of the regions


def split(
    pixels: Pixels, outline: Mask, face: Float64, person: Person, sure: Mask | None = None
) -> Regions:
    """(H, H) BACKGROUND, HEAD, NECK or TORSO of a frame (H, H, 3). The other arguments are those of
    `view_of`."""
    view = without_halo(view_of(pixels, outline, face, sure), person.first)
    view, clothes = beside_jaw(view, person)
    out = enlarge_regions(_regions(view, person, clothes), view, pixels, outline)
    return without_clothes(out, clothes)


def _regions(view: View, person: Person, clothes: Mask) -> Regions:
    """(SIDE, SIDE)"""
    place, body = view.place, view.person
    across = np.abs(place.across)
    head = body & (place.under < 0) & (across < WIDEST)
    head &= (place.down < place.nose + LOBES) | dilated(place.oval, 2)
    zone = body & ~head
    kind = np.where(zone, _likely(view, person, zone), BACKGROUND)
    # Cheeks are wider than the mesh, and ears hang lower.
    head |= (kind == NECK) & (place.under < 0) & (across < EARS)
    neck = joined_to_head((kind == NECK) & ~head, head, view)
    head |= _hanging(kind == HEAD, head, view, person.hair)
    torso = body & ~head & ~neck
    # A small piece beside the jaw is an ear ring, or the wall between two locks.
    head |= small_pieces(torso, (SMALL * place.height) ** 2) & (place.under < CHEST)
    head &= ~clothes
    out = np.where(body, TORSO, BACKGROUND).astype(np.uint8)
    out[neck] = NECK
    out[head] = HEAD
    return out


def _likely(view: View, person: Person, zone: Mask) -> Regions:
    """(SIDE, SIDE) the likeliest of NECK, HEAD (as hair) and TORSO in the zone, smoothed."""
    radius = round(float(np.clip(BLUR * view.place.height, 2, 6)))
    guide = Guide.of(view.grey, radius, EDGE)
    chances = _chances(view, person, zone)
    out, best = np.full(zone.shape, TORSO, np.uint8), np.zeros(zone.shape, np.float32)
    for region, chance in chances.items():
        if region != TORSO:
            more = np.zeros(zone.shape, np.float32)
            more[zone] = chance - chances[TORSO]
            more = guide.filtered(more)
            out[more > best] = region
            best = np.maximum(best, more)
    return out


def _chances(view: View, person: Person, zone: Mask) -> dict[int, Float32]:
    """(n,) probabilities of NECK (skin), TORSO (clothes) and, if hair hangs, HEAD (hair) for the n
    pixels of the zone."""
    place = view.place
    signed, under = place.across[zone], place.under[zone]
    across = np.abs(signed)
    skin, hair, clothes = person.colours.likelihoods(view.lab[zone]).T
    shift = np.float32(np.clip(AXIS * place.turn, -FARTHEST, FARTHEST))
    aside = np.abs(signed - np.where(under < 0, np.float32(0), shift))
    half = np.where(under < 0, np.float32(CHEEK_HALF), np.float32(NECK_HALF))
    skin = skin - PULL * (np.maximum(0, aside - half) + np.maximum(0, under - NECK_DOWN))
    skin += SHADE * np.exp(-((under / SHADE_END) ** 2)) * (aside < NECK_HALF)
    logs = {NECK: skin, TORSO: clothes}
    if person.hair.anywhere:
        hangs, reach = by_side(person.hair, signed)
        beyond = across - (reach + MARGIN + WIDER * np.maximum(0, under))
        bearded = (across < BEARD_HALF) & person.hair.beard
        hair = hair - OUTER_PULL * np.maximum(0, beyond)
        inward = np.maximum(HAIR_LEAST, HAIR_FROM - WIDER * np.maximum(0, under))
        hair -= HAIR_PULL * np.maximum(0, inward - across) * ~bearded
        hair -= DOWN_PULL * np.maximum(0, under - HAIR_DOWN)
        hair += DARK_PULL * ((view.lab[zone, 0] < DARK) & (across > 0.72) & (under < 0.35))
        logs[HEAD] = np.where(hangs | bearded, hair, np.float32(NEVER))
    top = np.maximum.reduce(list(logs.values()))
    shares = {region: np.exp(np.maximum(log, NEVER) - top) for region, log in logs.items()}
    whole = np.add.reduce(list(shares.values()))
    return {region: share / whole for region, share in shares.items()}


def joined_to_head(skin: Mask, head: Mask, view: View) -> Mask:
    """The skin that is joined to the head broadly."""
    radius = max(1, round(THIN * view.place.height))
    core = touching(eroded(skin | head, radius), head & view.place.inner)
    return solid(skin & dilated(core, radius + 1)) & ~head


def _hanging(hair: Mask, head: Mask, view: View, found: Hair) -> Mask:
    """The hair below the mouth that hangs from hair above it."""
    from scipy.ndimage import binary_opening

    if not hair.any():
        return hair
    place, across = view.place, np.abs(view.place.across)
    hangs, _ = by_side(found, place.across)
    hair = np.asarray(binary_opening(hair))
    top = head & ~place.oval & (across > 1)
    top |= hair & hangs & (across > 1) & (place.down < place.lip)
    upper = head & ~place.oval & (place.down > -0.6)
    if found.beard:  # it hangs from the chin
        top |= head & place.oval
        upper |= head
    return hair & touching(hair | upper, top)


def enlarge_regions(regions: Regions, view: View, pixels: Pixels, outline: Mask) -> Regions:
    """(H, H) the regions with edges along those of the frame, inside its outline."""
    size = len(pixels)
    missed = view.person & ~view.outline  # inside the face
    if missed.any():
        outline = outline | (enlarged(missed.astype(np.float32), size) > 0.5)
    guide = Guide.of(view.grey, FINE, EDGE)
    fine = grey(pixels)

    def prefers(one: Mask, other: Mask) -> Mask:
        return preferred(one, other, guide, fine)

    head, neck, torso = (regions == region for region in (HEAD, NECK, TORSO))
    out = np.where(prefers(neck, torso), np.uint8(NECK), np.uint8(TORSO))
    out[prefers(head, neck | torso)] = HEAD
    out[~outline | prefers(view.outline & ~view.person, view.person)] = BACKGROUND
    return out


def without_clothes(regions: Regions, clothes: Mask) -> Regions:
    """The regions (H, H) without head at the clothes (SIDE, SIDE) beside the jaw: where a light
    collar and a dark jacket meet skin, the picture's brightness does not tell them from it."""
    if clothes.any():
        size = len(regions)
        rows, columns = (span(np.any(clothes, axis), 1) for axis in (1, 0))
        if size == 2 * SIDE:
            near = doubled(clothes[rows, columns].astype(np.float32))
            part = regions[2 * rows.start : 2 * rows.stop, 2 * columns.start : 2 * columns.stop]
        else:
            near, part = enlarged(clothes.astype(np.float32), size), regions
        part[(near > SURELY) & (part == HEAD)] = TORSO
    return regions


def preferred(one: Mask, other: Mask, guide: Guide, fine: Float32) -> Mask:
    """(H, H) pixels of the frame `fine`, twice as large as the masks, that belong to the first mask
    rather than to the second. Only what the filter reaches from the first mask is computed."""
    size = len(fine)
    if not one.any():
        return np.zeros((size, size), bool)
    if size != 2 * SIDE:
        return preferred_anywhere(one, other, guide, fine)
    reach = 2 * guide.radius  # two boxes, one after the other
    inner = [span(np.any(one, axis), reach) for axis in (1, 0)]
    outer = [slice(max(a.start - reach - 1, 0), a.stop + reach + 1) for a in inner]
    rows, columns = outer
    part = guide.part(rows, columns)
    slope, offset = part.lines(one[rows, columns].astype(np.float32) - other[rows, columns])
    out = np.zeros((size, size), bool)
    wide = tuple(slice(2 * a.start, 2 * a.stop) for a in inner)
    within = tuple(
        slice(2 * (a.start - b.start), 2 * (a.stop - b.start))
        for a, b in zip(inner, outer, strict=True)
    )
    out[wide] = doubled(slope)[within] * fine[wide] + doubled(offset)[within] > 0
    return out


def preferred_anywhere(one: Mask, other: Mask, guide: Guide, fine: Float32) -> Mask:
    """The twin of `preferred`, for any size."""
    slope, offset = guide.lines(one.astype(np.float32) - other)
    return enlarged(slope, len(fine)) * fine + enlarged(offset, len(fine)) > 0
