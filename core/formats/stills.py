"""Reads the file of a still head: .ply, .splat, .ksplat, .spz or .sog, by what is in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import PlyError
from ..records.gaussians import Gaussians
from ..system.files import open_regular
from .ksplat import read_ksplat
from .mended import mended
from .ply import open_ply
from .sog import read_sog
from .splat import read_splat
from .spz_reader import read_spz

OURS = "axes x right, y down, z forward; unit metre"  # in the header of our own .ply export


@dataclass(frozen=True, eq=False)
class Still:
    """notes: what was mended. axes, unit: of the file, as far as its kind says; names of
    `official/upright.py`."""

    gaussians: Gaussians
    notes: tuple[str, ...]
    axes: str
    unit: str


def read_still(path: str | Path) -> Still:
    """PlyError as the readers; MissingPackageError for a .sog without Pillow."""
    path = Path(path)
    suffix = path.suffix.lower()
    file, _ = open_regular(path, PlyError, 2**62)
    with file:
        start = file.read(4)
    axes, unit = "y-down", "metre"
    if suffix == ".spz" or start[:2] == b"\x1f\x8b" or start == b"NGSP":
        cloud, axes = read_spz(path), "y-up"
    elif suffix == ".sog" or start == b"PK\3\4":
        cloud, axes = read_sog(path), "y-up"
    elif suffix == ".splat":
        cloud = read_splat(path)
    elif suffix == ".ksplat":
        cloud = read_ksplat(path)
    else:
        content = open_ply(path)
        cloud = content.cloud
        if not content.packed and OURS not in content.comments:
            axes, unit = "y-up", "decimetre"  # as talking-head trainers write
    gaussians, notes = mended(cloud, path)
    return Still(gaussians, notes, axes, unit)
