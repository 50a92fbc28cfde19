"""Reads the file of a still head: .ply, .splat or .spz, by what is in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import PlyError
from ..records.gaussians import Gaussians
from ..system.files import open_regular
from .mended import mended
from .ply import read_raw
from .splat import read_splat
from .splat_kinds import NEXT, OTHERS
from .spz_reader import read_spz

OURS = "axes x right, y down, z forward; unit metre"  # in the header of our own .ply export
SUFFIXES = (".ply", ".splat", ".spz")


@dataclass(frozen=True, eq=False)
class Still:
    """notes: what was mended. axes, unit: of the file, as far as its kind says; names of
    `official/upright.py`."""

    gaussians: Gaussians
    notes: tuple[str, ...]
    axes: str
    unit: str


def read_still(path: str | Path) -> Still:
    """PlyError as the readers, and for a file of another kind, which it names."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in OTHERS:
        raise PlyError(f"{path} is {OTHERS[suffix]}, which is not read; {NEXT}")
    file, _ = open_regular(path, PlyError, 2**62)
    with file:
        start = file.read(2)
    if suffix == ".spz" or start == b"\x1f\x8b":
        gaussians, axes, unit = read_spz(path), "y-up", "metre"
    elif suffix == ".splat":
        gaussians, axes, unit = read_splat(path), "y-down", "metre"
    else:
        gaussians, comments = read_raw(path)
        # Talking-head trainers write the latter.
        axes, unit = ("y-down", "metre") if OURS in comments else ("y-up", "decimetre")
    gaussians, notes = mended(gaussians, path)
    return Still(gaussians, notes, axes, unit)
