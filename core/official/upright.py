"""Puts Gaussians of other programs into the head's frame: y up, z to the viewer, decimetres."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..records.arrays import Float64
from ..records.gaussians import Gaussians, activate, deactivate
from ..render.place import Y_DOWN, moved

DECIMETRES: dict[str, float] = {"decimetre": 1.0, "metre": 10.0, "centimetre": 0.1}
Z_UP: Float64 = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
TURNS: dict[str, Float64] = {"y-up": np.eye(4), "y-down": Y_DOWN, "z-up": Z_UP}
AXES = ("auto", *TURNS)
UNITS = ("auto", *DECIMETRES)
OURS = "axes x right, y down, z forward; unit metre"  # in the header of our own export


def upright(
    gaussians: Gaussians, axes: str, unit: str, comments: Iterable[str] = ()
) -> tuple[Gaussians, tuple[str, ...]]:
    """axes: one of AXES, the file's; z-up is Blender's, facing -y. unit: one of UNITS. comments: of
    the file's header, which "auto" reads; without ours it means y-up and decimetres, as
    talking-head trainers write. The harmonics are turned, too. Returns notes of what was done."""
    ours = OURS in comments
    if axes == "auto":
        axes = "y-down" if ours else "y-up"
    if unit == "auto":
        unit = "metre" if ours else "decimetre"
    if (axes, unit) == ("y-up", "decimetre"):
        return gaussians, ()
    place = TURNS[axes].copy()
    place[:3] *= DECIMETRES[unit]
    return deactivate(moved(activate(gaussians), place)), (f"turned from {axes}, {unit}",)
