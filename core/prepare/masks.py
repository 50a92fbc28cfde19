"""The step that writes masks, torso pictures and, where the background moves, the frames' own
backgrounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..dataset.pictures import read_picture
from ..records.arrays import Float64
from .background import evenly_spaced, own_background
from .backgrounds import BACKGROUND, OWN
from .face import quiet
from .landmarks import MESHES
from .mask_regions import HEAD, Mask, Regions, write_regions
from .outlines import Outlines, Seen, outlines_of
from .pictures import Pixels, write_picture
from .segmentation.classes import split_by_classes
from .segmentation.outline import sharpen
from .segmentation.person import Person, learn_person, load_person, save_person
from .segmentation.split import split
from .segmentation.view import view_of
from .step import Files, Step
from .torso import torso_picture

PALETTE_FRAMES = 12
LEARNT = "person.npz"


@dataclass(frozen=True, eq=False)
class _Masker:
    """What the masks of a frame need. person: None if it is not needed; own: write the frames'
    own backgrounds."""

    files: Files
    outlines: Outlines
    faces: Float64
    background: Pixels
    known: Mask
    own: bool
    person: Person | None

    def outline(self, seen: Seen, pixels: Pixels) -> Mask:
        found = self.outlines.person(seen)
        # Where the background moves, its picture does not show what is behind the person.
        return found if self.own else sharpen(found, pixels, self.background, self.known)

    def regions(self, row: int, pixels: Pixels) -> Regions:
        if self.files.options.parsing is not None:
            return self.outlines.given(row)
        seen = self.outlines.see(row, pixels)
        outline = self.outline(seen, pixels)
        if seen.parts is not None:
            return split_by_classes(pixels, outline, self.faces[row], seen.parts)
        assert self.person is not None
        return split(pixels, outline, self.faces[row], self.person, self.outlines.sure(seen))


def mask_files(files: Files, row: int, own: bool) -> tuple[Path, ...]:
    """The files of a frame that `write_masks` writes."""
    usual = files.parsing(row), files.torso(row)
    return (*usual, files.folder / OWN / f"{row}.jpg") if own else usual


def write_masks(step: Step, count: int, used: Sequence[int], keep: bool) -> dict[str, Any]:
    """Write parsing/, torso_imgs/ and, if the background moves, bc_imgs/ for every frame. used:
    the frames to learn from. keep: existing files are valid and stay."""
    own = not _still(step)
    step.make("parsing", "torso_imgs", *([OWN] if own else []))
    facts: dict[str, Any] = {"segmenter": _name(step)}
    with quiet(step.side):
        person = _learn(step, used)
    if person is not None:
        step.save(LEARNT, **save_person(person))
        facts |= {"hair_hangs": list(person.hair.hangs), "beard": person.hair.beard}
    rows = [
        row for row in range(count)
        if not (keep and all(path.exists() for path in mask_files(step, row, own)))
    ]  # fmt: skip
    span = (count - len(rows), count, count)
    headless = sum(not head for head in step.spread(_write, rows, _masker, span=span))
    if headless:
        step.note(f"{headless} of {count} masks show no head; look at the folder parsing")
    return facts


def _still(files: Files) -> bool:
    return bool(files.load(BACKGROUND).get("still", np.array(True)))


def _name(files: Files) -> str:
    options = files.options
    if options.parsing is not None:
        return "given"
    return "mediapipe" if options.segmenter is None else options.segmenter.name


def _masker(files: Files) -> _Masker:
    outlines = outlines_of(files)
    return _with(outlines, None if outlines.have_parts else load_person(files.load(LEARNT)))


def _with(outlines: Outlines, person: Person | None) -> _Masker:
    files = outlines.files
    background = files.load(BACKGROUND)
    return _Masker(
        files,
        outlines,
        files.load(MESHES)["meshes"].astype(np.float64),
        read_picture(files.folder / "bc.jpg"),
        background["known"].astype(bool),
        not _still(files),
        person,
    )


def _learn(step: Step, used: Sequence[int]) -> Person | None:
    """None if the parts of the person are known without."""
    outlines = outlines_of(step.files)
    if outlines.have_parts:
        return None
    masker = _with(outlines, None)
    views = []
    for row in evenly_spaced(used, PALETTE_FRAMES):
        pixels = step.pixels(row)
        seen = outlines.see(row, pixels)
        outline, face = masker.outline(seen, pixels), masker.faces[row]
        views.append(view_of(pixels, outline, face, outlines.sure(seen)))
        step.stop_if_cancelled()
    return learn_person(views)


def _write(masker: _Masker, row: int) -> bool:
    """Write the files of a frame. Returns whether it shows a head."""
    files = masker.files
    pixels = files.pixels(row)
    regions = masker.regions(row, pixels)
    paths = mask_files(files, row, masker.own)
    write_regions(paths[0], regions)
    write_picture(paths[1], torso_picture(pixels, regions))
    if masker.own:
        own = own_background(pixels, regions > 0, masker.background)
        write_picture(paths[2], own, files.options.quality)
    return bool((regions == HEAD).any())
