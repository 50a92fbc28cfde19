"""Puts Gaussians of other programs into the head's frame: y up, z to the viewer, decimetres."""

from __future__ import annotations

import numpy as np

from ..records.arrays import Float64
from ..records.gaussians import Gaussians, activate, deactivate
from ..render.place import Y_DOWN, moved

DECIMETRES: dict[str, float] = {"decimetre": 1.0, "metre": 10.0, "centimetre": 0.1}
Z_UP: Float64 = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
TURNS: dict[str, Float64] = {"y-up": np.eye(4), "y-down": Y_DOWN, "z-up": Z_UP}
AXES = ("auto", *TURNS)
UNITS = ("auto", *DECIMETRES)


def upright(gaussians: Gaussians, axes: str, unit: str) -> tuple[Gaussians, tuple[str, ...]]:
    """axes: of TURNS, the file's; z-up is Blender's, facing -y. unit: of DECIMETRES. The harmonics
    are turned, too. Returns notes of what was done."""
    if (axes, unit) == ("y-up", "decimetre"):
        return gaussians, ()
    place = TURNS[axes].copy()
    place[:3] *= DECIMETRES[unit]
    return deactivate(moved(activate(gaussians), place)), (f"turned from {axes}, {unit}",)
