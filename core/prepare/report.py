"""The report: landmarks, reprojected head, masks and background of some frames in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dataset.pictures import over, read_picture
from ..images.pillow import pillow, resized
from ..records.arrays import Float64
from .background import evenly_spaced
from .backgrounds import OWN
from .bundle import project
from .landmarks import MESHES
from .mask_regions import COLOURS, HEAD, NECK, TORSO, to_regions
from .mesh import IBUG, OVAL
from .pictures import Pixels, write_picture
from .poses import TRACK
from .step import Step

REPORT = "prepare_report.jpg"
FRAMES = 4  # in the report
OVERLAYS = 24  # in the side folder
WIDTH = 320
AXES = ((255, 60, 60), (60, 220, 60), (80, 140, 255))  # x, y, z of the head
TINTS = {HEAD: COLOURS[HEAD], NECK: COLOURS[NECK], TORSO: COLOURS[TORSO]}


def overlay(pixels: Pixels, face: Float64, head: Float64, axes: Float64) -> Pixels:
    """The frame with its landmarks (yellow), the mean head in its pose (cyan) and the head's axes.
    face (478, 2 or more), head (478, 2), axes (4, 2): origin and ends, pixels."""
    from PIL import ImageDraw

    picture = pillow().fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    for x, y in head[::2]:
        draw.point([(x, y)], fill=(0, 230, 230))
    outline = [tuple(head[i]) for i in (*OVAL, OVAL[0])]
    draw.line(outline, fill=(0, 230, 230))
    for x, y in face[IBUG, :2]:
        draw.ellipse([x - 1.5, y - 1.5, x + 1.5, y + 1.5], fill=(255, 235, 0))
    for end, colour in zip(axes[1:], AXES, strict=True):
        draw.line([tuple(axes[0]), tuple(end)], fill=colour, width=2)
    return np.asarray(picture)


def tinted(pixels: Pixels, parsing: Pixels) -> Pixels:
    """The frame with its parts coloured."""
    regions = to_regions(parsing)
    out = pixels.astype(np.float32)
    for region, colour in TINTS.items():
        part = regions == region
        out[part] = 0.6 * out[part] + 0.4 * colour
    return out.astype(np.uint8)


def write_report(step: Step, used: Sequence[int]) -> dict[str, Any]:
    """Write prepare_report.jpg, a row for each of some frames (landmarks and head, parts, torso
    over its background), and overlays of more frames in the side folder."""
    meshes = step.load(MESHES)["meshes"].astype(np.float64)
    track = step.load(TRACK)
    size = step.options.size
    points = np.concatenate([track["mesh"], _axes(track["mesh"])])
    seen = project(points, track["rotations"], track["shifts"], float(track["focal"])) + size / 2
    background = read_picture(step.folder / "bc.jpg")
    step.make("prepare/overlays")
    strip = []
    shown = set(evenly_spaced(used, FRAMES))
    rows = sorted(shown | set(evenly_spaced(used, OVERLAYS)))
    for done, row in enumerate(rows):
        pixels = step.pixels(row)
        drawn = overlay(pixels, meshes[row], seen[row, :-4], seen[row, -4:])
        write_picture(step.side / "overlays" / f"{row}.jpg", drawn, 92)
        if row in shown:
            parts = tinted(pixels, read_picture(step.parsing(row)))
            own = step.folder / OWN / f"{row}.jpg"
            behind = read_picture(own) if own.exists() else background
            body = over(read_picture(step.torso(row), "RGBA"), behind)
            strip.append([resized(part, WIDTH, WIDTH, "LANCZOS") for part in (drawn, parts, body)])
        step.progress(done + 1, len(rows))
    sheet = np.concatenate([np.concatenate(row, 1) for row in strip])
    write_picture(step.folder / REPORT, np.ascontiguousarray(sheet), 92)
    return {}


def _axes(mesh: Float64) -> Float64:
    """(4, 3) the axes' origin between the eyes and their ends half a decimetre away."""
    middle = mesh[[33, 263]].mean(0)
    return middle + np.concatenate([np.zeros((1, 3)), 0.5 * np.eye(3)])
