"""The step that writes the report: one picture, overlays, findings, and the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...dataset.pictures import over, read_picture
from ...images.pillow import resized
from ...records.arrays import Float64
from ...system.files import write_atomic
from ..background import evenly_spaced
from ..backgrounds import OWN
from ..bundle import project
from ..findings.facts import Look, facts_of, look_at
from ..findings.rule import judge
from ..findings.table import RULES
from ..landmarks import MESHES
from ..pictures import Pixels, write_picture
from ..poses import TRACK
from ..shots import Shots, load_shots
from ..step import Files, Step
from .drawing import axes_of, overlay, tinted
from .names import PAGE, PICTURE
from .page import Column, page_of

FRAMES = 4  # in the picture
COLUMNS = 8  # in the page
OVERLAYS = 24  # in the side folder; these frames are measured too
WIDTH, SMALL = 320, 200  # pixels of a frame in the picture, in the page
QUALITY = 92


@dataclass(frozen=True, eq=False)
class _Artist:
    """Draws a frame: meshes (F, 478, 3) as found, seen (F, 478 + 4, 2) the projected head and its
    axes, background the clip's."""

    files: Files
    meshes: Float64
    seen: Float64
    background: Pixels

    def overlay(self, row: int, pixels: Pixels) -> Pixels:
        return overlay(pixels, self.meshes[row], self.seen[row, :-4], self.seen[row, -4:])

    def parts(self, row: int, pixels: Pixels) -> Pixels:
        return tinted(pixels, read_picture(self.files.parsing(row)))

    def behind(self, row: int) -> Pixels:
        own = self.files.folder / OWN / f"{row}.jpg"
        return read_picture(own) if own.exists() else self.background

    def torso(self, row: int) -> Pixels:
        return over(read_picture(self.files.torso(row), "RGBA"), self.behind(row))


def report_files(files: Files) -> tuple[Path, ...]:
    return files.folder / PICTURE, files.folder / PAGE


def write_report(step: Step, found: Mapping[str, Any]) -> dict[str, Any]:
    """Write prepare_report.jpg, a row for each of some frames (landmarks and head, parts, torso
    over its background), overlays of more frames in the side folder, and prepare_report.html.
    found: what the steps before found. Returns the fact findings: [Finding.document], the worst
    first."""
    artist, shots = _artist(step), load_shots(step)
    step.make(f"{step.side.name}/overlays")
    sheet: list[Pixels] = []
    columns: list[Column] = []
    looks: list[Look] = []
    shown, strip = (set(evenly_spaced(shots.rows, count)) for count in (FRAMES, COLUMNS))
    rows = sorted(shown | strip | set(evenly_spaced(shots.rows, OVERLAYS)))
    for done, row in enumerate(rows, 1):
        pixels = step.pixels(row)
        drawn = artist.overlay(row, pixels)
        write_picture(step.side / "overlays" / f"{row}.jpg", drawn, QUALITY)
        looks.append(look_at(pixels, artist.meshes[row]))
        if row in shown:
            parts = (drawn, artist.parts(row, pixels), artist.torso(row))
            sheet.append(np.concatenate([_scaled(part, WIDTH) for part in parts], 1))
        if row in strip:
            columns.append(_column(artist, row, pixels, drawn))
        step.progress(done, len(rows))
    write_picture(step.folder / PICTURE, np.concatenate(sheet), QUALITY)
    return _judged(step, found, shots, artist.meshes, looks, columns)


def _judged(
    step: Step,
    found: Mapping[str, Any],
    shots: Shots,
    meshes: Float64,
    looks: list[Look],
    columns: list[Column],
) -> dict[str, Any]:
    """Write the page. Returns the facts."""
    findings = judge(RULES, facts_of(step.files, found, shots, meshes, looks))
    text = page_of(step.video.name, findings, columns, shots, found)
    write_atomic(step.folder / PAGE, [text.encode("utf-8", "replace")])
    return {"findings": [finding.document for finding in findings]}


def _artist(step: Step) -> _Artist:
    track = step.load(TRACK)
    points = np.concatenate([track["mesh"], axes_of(track["mesh"])])
    seen = project(points, track["rotations"], track["shifts"], float(track["focal"]))
    return _Artist(
        step.files,
        step.load(MESHES)["meshes"].astype(np.float64),
        seen + step.options.size / 2,
        read_picture(step.folder / "bc.jpg"),
    )


def _column(artist: _Artist, row: int, pixels: Pixels, drawn: Pixels) -> Column:
    parts = (drawn, artist.parts(row, pixels), artist.torso(row), artist.behind(row))
    return Column(row, tuple(_scaled(part, SMALL) for part in parts))


def _scaled(pixels: Pixels, side: int) -> Pixels:
    return np.ascontiguousarray(resized(pixels, side, side, "LANCZOS"))
