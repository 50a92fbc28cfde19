"""Drawn persons whose regions are known: for tests of masks and backgrounds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from core.prepare.mask_regions import BACKGROUND, HEAD, NECK, TORSO
from core.prepare.mesh import (
    CHIN,
    EYES,
    LOWER_LIP,
    MESH_POINTS,
    NOSE_BASE,
    NOSE_TIP,
    OUTER_CORNERS,
    OUTER_LIP,
    OVAL,
)  # fmt: skip

SIDE = 256
Colour = tuple[int, int, int]
SKIN, BROWN, BLUE, WALL = (210, 160, 140), (50, 35, 20), (40, 60, 160), (120, 130, 120)


@dataclass(frozen=True)
class Drawn:
    """Where and how a person is drawn. shift: pixels to the right. locks: hair hangs on the left,
    on the right of the picture. beard: pixels that it hangs below the mouth. rise: pixels that the
    left shoulder is higher."""

    skin: Colour = SKIN
    hair: Colour = BROWN
    clothes: Colour = BLUE
    collar: Colour | None = None
    wall: Colour = WALL
    locks: tuple[bool, bool] = (False, False)
    beard: float = 0
    shift: float = 0
    rise: float = 0


def face_at(x: float, y: float, half: float) -> np.ndarray:
    """(478, 3) a mesh whose outline is a circle, with its eyes, nose and mouth in their places."""
    mesh = np.zeros((MESH_POINTS, 3))
    mesh[:, :2] = x, y
    angle = np.linspace(0, 2 * np.pi, len(OVAL), endpoint=False)
    mesh[OVAL, 0], mesh[OVAL, 1] = x + half * np.sin(angle), y - half * np.cos(angle)
    ring = np.stack([np.cos(angle), np.sin(angle)], 1)
    for points, places, side, height in (
        (OUTER_LIP, ring[::3], 0.0, 0.55), (EYES[:6], ring[::6], -0.4, -0.15),
        (EYES[6:], ring[::6], 0.4, -0.15),
    ):  # fmt: skip
        mesh[list(points), :2] = np.add(
            (x + side * half, y + height * half), 0.12 * half * places[: len(points)]
        )
    for point, side, height in (
        (OUTER_CORNERS[0], -0.5, -0.15), (OUTER_CORNERS[1], 0.5, -0.15), (NOSE_TIP, 0.0, 0.1),
        (NOSE_BASE, 0.0, 0.25), (LOWER_LIP, 0.0, 0.67), (CHIN, 0.0, 1.0),
    ):  # fmt: skip
        mesh[point, :2] = x + side * half, y + height * half
    return mesh


def draw(person: Drawn, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Picture (SIDE, SIDE, 3), true regions (SIDE, SIDE), face mesh."""
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    x = x - person.shift
    truth = np.full((SIDE, SIDE), BACKGROUND, np.uint8)
    colours = np.full((SIDE, SIDE, 3), person.wall, float)
    shoulders = (np.abs(x - 128) < 100) & (y > 188 - person.rise * (x < 80))
    parts = [
        (shoulders, TORSO, person.clothes),
        ((np.abs(x - 128) < 24) & (y > 140) & (y < 196), NECK, person.skin),
        ((x - 128) ** 2 + (y - 84) ** 2 < 64**2, HEAD, person.hair),
        *(
            ((np.abs(x - 128 - side * 52) < 16) & (y > 84) & (y < 226), HEAD, person.hair)
            for side, hangs in zip((-1, 1), person.locks, strict=True)
            if hangs
        ),
        ((x - 128) ** 2 + (y - 104) ** 2 < 48**2, HEAD, person.skin),
    ]
    beard = (np.abs(x - 128) < 34) & (y > 140) & (y < 140 + person.beard)
    parts.append((beard, HEAD, person.hair))
    if person.collar is not None:
        collar = (np.abs(x - 128) < 40) & (y > 168) & (np.abs(x - 128) > (200 - y) * 0.8)
        parts.insert(2, (collar, TORSO, person.collar))
    for where, region, colour in parts:
        truth[where], colours[where] = region, colour
    colours += 4 * np.random.default_rng(seed).normal(size=colours.shape)
    pixels = np.clip(colours, 0, 255).astype(np.uint8)
    return pixels, truth, face_at(128 + person.shift, 104, 48)


def frames(person: Drawn) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Some frames of the person, who moves a little."""
    return [draw(replace(person, shift=shift), seed) for seed, shift in enumerate((-6, 0, 5))]
