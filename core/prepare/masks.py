"""The steps that write the background, the masks and the torso pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..dataset.pictures import read_picture
from ..errors import ArgumentError
from .background import BackgroundMean, evenly_spaced, torso_picture
from .face import PersonFinder, quiet
from .landmarks import MESHES
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
from .step import Step

BACKGROUND_FRAMES = 160  # at most, for the background
PALETTE_FRAMES = 12
BACKGROUND = "plate.npz"  # its name stays, so that preparations begun earlier can continue
LARGEST_CHANGE = 12.0  # grey levels by which the background may change during the clip


def make_background(step: Step, count: int) -> dict[str, Any]:
    """Write bc.jpg and the mask of where the background is known."""
    rows = evenly_spaced(range(count), BACKGROUND_FRAMES)
    background = BackgroundMean(step.options.size)
    with quiet(step.side):
        people = _given(step) or _found()
        distances = {}
        for done, row in enumerate(rows):
            person = people(row, step.pixels(row))
            distances[row] = background.measure(person).astype(np.float16)
            step.progress(done + 1, 2 * len(rows))
    first = None
    changes = []
    for done, row in enumerate(rows):
        pixels = step.pixels(row)
        distance = distances[row].astype(np.float32)
        background.add(pixels, distance)
        if first is None:
            first = (pixels, distance)
        empty = (distance > 20) & (first[1] > 20)
        if empty.any():
            apart = np.abs(pixels[empty].astype(int) - first[0][empty]).mean()
            changes.append(float(apart))
        step.progress(len(rows) + done + 1, 2 * len(rows))
    picture, known = background.finish()
    write_picture(step.folder / "bc.jpg", picture, step.options.quality)
    step.save(BACKGROUND, known=known)
    moved = float(np.percentile(changes, 90)) if changes else 0.0
    if moved > LARGEST_CHANGE:
        step.note(
            f"the background changes by {moved:.0f} grey levels through the clip; a camera on a "
            "tripod and a still background give a cleaner edge of the head"
        )
    return {"seen": round(float(known.mean()), 4), "moved": round(moved, 2)}


def _given(step: Step) -> Any:
    """A function that reads the person from the user's masks; None if there are none."""
    folder = step.options.parsing
    if folder is None:
        return None
    return lambda row, pixels: to_regions(given_parsing(folder, row, len(pixels))) > 0


def _found() -> Any:
    finder = PersonFinder()
    return lambda row, pixels: finder.find(pixels) > PERHAPS


def given_parsing(folder: Path, row: int, size: int) -> Pixels:
    """One of the user's masks. ArgumentError if it is missing or of another size."""
    path = folder / f"{row}.png"
    if not path.is_file():
        raise ArgumentError(f"--parsing {folder} has no {row}.png; give one mask for every frame")
    picture = read_picture(path)
    if picture.shape[:2] != (size, size):
        raise ArgumentError(
            f"{path} is {picture.shape[1]}x{picture.shape[0]} pixels, the frames are {size}x{size}"
        )
    return picture


def write_masks(step: Step, count: int, keep: bool) -> dict[str, Any]:
    """Write parsing/ and torso_imgs/ for every frame. keep: existing files are valid and stay."""
    step.make("parsing", "torso_imgs")
    faces = step.load(MESHES)["meshes"].astype(np.float64)
    background = read_picture(step.folder / "bc.jpg")
    known = step.load(BACKGROUND)["known"].astype(bool)
    given = step.options.parsing
    headless = 0
    with quiet(step.side):
        finder = PersonFinder() if given is None else None
        palette = None if finder is None else _palette(step, finder, background, known, faces)
        for row in range(count):
            paths = step.parsing(row), step.torso(row)
            if not (keep and all(path.exists() for path in paths)):
                pixels = step.pixels(row)
                if finder is None or palette is None:
                    assert given is not None
                    regions = to_regions(given_parsing(given, row, len(pixels)))
                else:
                    person = _person(finder, pixels, background, known)
                    regions = split(person, pixels, faces[row], palette)
                write_picture(paths[0], to_picture(regions))
                write_picture(paths[1], torso_picture(pixels, regions))
                headless += not (regions == HEAD).any()
            step.progress(row + 1, count)
    if headless:
        step.note(f"{headless} of {count} masks show no head; look at the folder parsing")
    return {}


def _person(finder: PersonFinder, pixels: Pixels, background: Pixels, known: Mask) -> Mask:
    return sharpen(finder.find(pixels) > PERSON, pixels, background, known)


def _palette(
    step: Step, finder: PersonFinder, background: Pixels, known: Mask, faces: Any
) -> Palette:
    pictures, people, found = [], [], []
    for row in evenly_spaced(range(len(faces)), PALETTE_FRAMES):
        pixels = step.pixels(row)
        pictures.append(pixels)
        people.append(_person(finder, pixels, background, known))
        found.append(faces[row])
    return learn_palette(pictures, people, found)
