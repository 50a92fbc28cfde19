"""Films with cuts, made from the small film of the synthetic head: zooms, cards, other people."""

from __future__ import annotations

import numpy as np

from core.images.pillow import resized

from .videos import pictures

SIDE = 256
Picture = np.ndarray

_clip: list[Picture] = []


def talking(count: int, start: int = 0) -> list[Picture]:
    """Frames (256, 256, 3) of the head, forwards and backwards without a jump."""
    if not _clip:
        _clip.extend(pictures())
    order = [*range(len(_clip)), *range(len(_clip) - 2, 0, -1)]
    return [_clip[order[(start + k) % len(order)]] for k in range(count)]


def zoomed(picture: Picture, factor: float = 1.25) -> Picture:
    """A punch-in on the face."""
    side = round(SIDE / factor)
    x, y = (SIDE - side) // 2, max(0, 110 - side // 2)
    part = np.ascontiguousarray(picture[y : y + side, x : x + side])
    return resized(part, SIDE, SIDE, "LANCZOS")


def somebody_else(picture: Picture) -> Picture:
    """Mirrored, with a narrower, longer face and other colours."""
    from scipy.ndimage import map_coordinates

    mirrored = picture[:, ::-1, ::-1] * 0.8 + 20
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    across = 128 + (x - 128) * (1 + 0.25 * np.exp(-(((x - 128) / 60) ** 2)))
    down = 110 + (y - 110) * (1 - 0.15 * np.exp(-(((y - 110) / 60) ** 2)))
    layers = [
        map_coordinates(mirrored[..., layer], [down, across], order=1, mode="nearest")
        for layer in range(3)
    ]
    return np.stack(layers, -1).clip(0, 255).astype(np.uint8)


def faded(before: list[Picture], after: list[Picture]) -> list[Picture]:
    """A cross-fade from the pictures `before` to somebody else, who moves like `after`."""
    shares = np.linspace(0, 1, len(before))
    return [
        (a * (1 - share) + somebody_else(b) * share + 0.5).astype(np.uint8)
        for a, b, share in zip(before, after, shares, strict=True)
    ]


def covered(picture: Picture) -> Picture:
    """A hand of the skin's colour before the mouth."""
    out = picture.copy()
    y, x = np.mgrid[:SIDE, :SIDE]
    out[((x - 118) / 26) ** 2 + ((y - 190) / 52) ** 2 < 1] = (205, 150, 130)
    return out


def card() -> Picture:
    """A title card."""
    out = np.full((SIDE, SIDE, 3), 30, np.uint8)
    out[100:150, 40:216] = 220
    return out


def black() -> Picture:
    return np.zeros((SIDE, SIDE, 3), np.uint8)
