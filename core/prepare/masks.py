"""The steps about the picture's parts: masks, the background's plate, the torso's pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..dataset.pictures import read_picture
from ..errors import ArgumentError
from .background import BackgroundMean, spread_rows, torso_picture
from .face import PersonFinder, quiet
from .mask_regions import (
    HEAD,
    PERHAPS,
    PERSON,
    Mask,
    Palette,
    learn_palette,
    sharpen,
    split,
    to_picture,
    to_regions,
)
from .pictures import Pixels, write_picture
from .poses import MESHES
from .step import Work

PLATE_FRAMES = 160  # that the background is taken from, at most
PALETTE_FRAMES = 12
BACKGROUND = "plate.npz"
RESTLESS = 12.0  # grey levels that the background may change through the clip


def make_plate(work: Work, count: int) -> dict[str, Any]:
    """bc.jpg, and where the background was ever seen."""
    rows = spread_rows(range(count), PLATE_FRAMES)
    background = BackgroundMean(work.options.size)
    with quiet(work.side):
        people = _given(work) or _found(work)
        distances = {}
        for done, row in enumerate(rows):
            person = people(row, work.pixels(row))
            distances[row] = background.measure(person).astype(np.float16)
            work.told("background", done + 1, 2 * len(rows))
    first = None
    restless = []
    for done, row in enumerate(rows):
        pixels = work.pixels(row)
        distance = distances[row].astype(np.float32)
        background.add(pixels, distance)
        if first is None:
            first = (pixels, distance)
        empty = (distance > 20) & (first[1] > 20)
        if empty.any():
            apart = np.abs(pixels[empty].astype(int) - first[0][empty]).mean()
            restless.append(float(apart))
        work.told("background", len(rows) + done + 1, 2 * len(rows))
    picture, known = background.finish()
    write_picture(work.folder / "bc.jpg", picture, work.options.quality)
    work.save(BACKGROUND, known=known)
    moved = float(np.percentile(restless, 90)) if restless else 0.0
    if moved > RESTLESS:
        work.note(
            f"the background changes by {moved:.0f} grey levels through the clip; a camera on a "
            "tripod and a still background give a better head's edge"
        )
    return {"seen": round(float(known.mean()), 4), "moved": round(moved, 2)}


def _given(work: Work) -> Any:
    """The person of the user's own masks, where there are any."""
    folder = work.options.parsing
    if folder is None:
        return None
    return lambda row, pixels: to_regions(given_parsing(folder, row, len(pixels))) > 0


def _found(work: Work) -> Any:
    finder = PersonFinder()
    return lambda row, pixels: finder.find(pixels) > PERHAPS


def given_parsing(folder: Path, row: int, size: int) -> Pixels:
    """A mask of the user's own. ArgumentError where it is missing or of another size."""
    path = folder / f"{row}.png"
    if not path.is_file():
        raise ArgumentError(f"--parsing {folder} has no {row}.png; give one mask for every frame")
    picture = read_picture(path)
    if picture.shape[:2] != (size, size):
        raise ArgumentError(
            f"{path} is {picture.shape[1]}x{picture.shape[0]} pixels, the frames are {size}x{size}"
        )
    return picture


def write_masks(work: Work, count: int, keep: bool) -> dict[str, Any]:
    """parsing/ and torso_imgs/ of every frame. keep: files that are there are right and stay."""
    work.make("parsing", "torso_imgs")
    faces = work.load(MESHES)["meshes"].astype(np.float64)
    background = read_picture(work.folder / "bc.jpg")
    known = work.load(BACKGROUND)["known"].astype(bool)
    given = work.options.parsing
    headless = 0
    with quiet(work.side):
        finder = PersonFinder() if given is None else None
        palette = None if finder is None else _palette(work, finder, background, known, faces)
        for row in range(count):
            paths = work.parsing(row), work.torso(row)
            if not (keep and all(path.exists() for path in paths)):
                pixels = work.pixels(row)
                if finder is None or palette is None:
                    assert given is not None
                    regions = to_regions(given_parsing(given, row, len(pixels)))
                else:
                    person = _person(finder, pixels, background, known)
                    regions = split(person, pixels, faces[row], palette)
                write_picture(paths[0], to_picture(regions))
                write_picture(paths[1], torso_picture(pixels, regions))
                headless += not (regions == HEAD).any()
            work.told("masks", row + 1, count)
    if headless:
        work.note(f"{headless} of {count} masks show no head; look at the folder parsing")
    return {}


def _person(finder: PersonFinder, pixels: Pixels, background: Pixels, known: Mask) -> Mask:
    return sharpen(finder.find(pixels) > PERSON, pixels, background, known)


def _palette(
    work: Work, finder: PersonFinder, background: Pixels, known: Mask, faces: Any
) -> Palette:
    pictures, people, found = [], [], []
    for row in spread_rows(range(len(faces)), PALETTE_FRAMES):
        pixels = work.pixels(row)
        pictures.append(pixels)
        people.append(_person(finder, pixels, background, known))
        found.append(faces[row])
    return learn_palette(pictures, people, found)
