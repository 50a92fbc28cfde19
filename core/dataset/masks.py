"""The masks in parsing/: which pixels are head, neck and torso, in the colours of several tools.

Usual: blue head, green neck, red torso, white rest. TalkingGaussian's have black hair and a grey
mouth too, both of the head; masks with a black rest have no white. Every other colour, as resizing
with smoothing makes at the edges, counts as the nearest of these."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..images.pillow import Bytes

HEAD, NECK, TORSO, REST, BLACK = (0, 0, 255), (0, 255, 0), (255, 0, 0), (255, 255, 255), (0, 0, 0)
USUAL = (HEAD, NECK, TORSO, REST)
MOUTH = 100  # grey; the same grey at an edge is one of its few pixels
WHITE_REST = 0.01  # of the picture is white, else the rest is black: a person never fills it all
FAR = 48  # of 255 in one channel: farther from all colours than any rounding or compression
MUCH = 0.02  # of a picture; smoothed edges of 512 pixels a side stay below


def head_mask(picture: Bytes) -> NDArray[np.bool_]:
    """(H, W) where the parsing (H, W, 3) is head."""
    return parts_of(picture) == USUAL.index(HEAD)


def parts_of(picture: Bytes) -> NDArray[np.uint8]:
    """(H, W) the index in USUAL that each pixel of the parsing (H, W, 3) counts as."""
    code = _codes(picture)
    out = np.full(code.shape, len(USUAL), np.uint8)
    for index, colour in enumerate(USUAL):
        out[code == _code(colour)] = index
    unusual = np.flatnonzero(out == len(USUAL))
    if len(unusual):
        colours = picture.reshape(-1, 3)[unusual].astype(np.int32)
        white = bool((out == USUAL.index(REST)).mean() >= WHITE_REST)
        out.reshape(-1)[unusual] = _nearest(colours, white)
    return out


def notes_of(pictures: Sequence[Bytes]) -> list[str]:
    """What is unusual in the colours of some masks (H, W, 3), one line each."""
    hair, far, largest = np.array([_shares(picture) for picture in pictures]).T
    notes = []
    if hair.max(initial=0) > 0:
        notes.append(
            f"parsing has black and grey (100) areas inside the person, {hair.mean():.1%} of the "
            "picture: they count as head, as TalkingGaussian's hair and mouth"
        )
    if far.mean() > MUCH:
        most = int(largest[np.argmax(far)])
        notes.append(
            f"{far.mean():.0%} of the pixels in parsing have colours that are none of head (blue), "
            f"neck (green), torso (red) and rest (white), most of them RGB {most >> 16}, "
            f"{most >> 8 & 255}, {most & 255}: the nearest counts; look at the masks"
        )
    return notes


def colours_in(picture: Bytes) -> str:
    """The most frequent colours of a mask (H, W, 3), for an error."""
    codes, counts = np.unique(_codes(picture), return_counts=True)
    most = codes[np.argsort(-counts)[:3]].tolist()
    return ", ".join(f"({c >> 16}, {c >> 8 & 255}, {c & 255})" for c in most)


def _codes(picture: Bytes) -> NDArray[np.uint32]:
    """(H, W) each colour as one number, red in its highest byte."""
    wide = picture.astype(np.uint32)
    return np.asarray((wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2], np.uint32)


def _code(colour: tuple[int, int, int]) -> int:
    red, green, blue = colour
    return red << 16 | green << 8 | blue


def _nearest(colours: NDArray[np.int32], white: bool) -> NDArray[np.uint8]:
    """(N,) the index in USUAL of (N, 3). white: the rest is white, so black is hair."""
    apart = np.stack([((colours - colour) ** 2).sum(1) for colour in (*USUAL, BLACK)], 1)
    nearest = apart.argmin(1).astype(np.uint8)
    nearest[nearest == len(USUAL)] = USUAL.index(HEAD if white else REST)
    if white:
        nearest[(colours == MOUTH).all(1)] = USUAL.index(HEAD)
    return nearest


def _shares(picture: Bytes) -> tuple[float, float, int]:
    """Shares of black and grey areas of the head, and of colours far from all others; the most
    frequent one of these."""
    code = _codes(picture)
    white = bool((code == _code(REST)).mean() >= WHITE_REST)
    grey = (picture == MOUTH).all(-1)
    black = code == _code(BLACK)
    usual = (*USUAL, BLACK)
    apart = np.min([np.abs(picture.astype(np.int16) - c).max(-1) for c in usual], 0)
    far = (apart > FAR) & ~(grey & white)
    codes, counts = np.unique(code[far], return_counts=True)
    most = int(codes[counts.argmax()]) if len(codes) else 0
    return float((grey | black).mean()) if white else 0.0, float(far.mean()), most
