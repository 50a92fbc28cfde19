"""The pose of every frame, refined from the fitted head and the frames' pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float32, Float64
from .bundle import Solution, project
from .patches import Appearance, Patches, find, take
from .scalp import counts
from .smooth import normal_equations, refine_poses

FRAME_ROUNDS = 5


@dataclass(frozen=True, eq=False)
class Fit:
    """What every frame's pose is refined with. mesh (478, 3): first guess of the face. points
    (P, 3): the fitted ones of it, then those beyond it. focal: pixels. rotations (F, 3, 3), shifts
    (F, 3): first poses of all frames. patches, appearance: of the points."""

    mesh: Float64
    points: Float64
    focal: float
    rotations: Float64
    shifts: Float64
    patches: Patches
    appearance: Appearance

    def arrays(self) -> dict[str, NDArray[Any]]:
        """For a file; `of` reads them."""
        own = {name: np.asarray(getattr(self, name)) for name in _PLAIN}
        parts = {**vars(self.patches), **vars(self.appearance)}
        return {**own, **{name: np.asarray(value) for name, value in parts.items()}}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Fit:
        mesh, points, focal, rotations, shifts = (arrays[name] for name in _PLAIN)
        patches = Patches(arrays["tangents"], float(arrays["half"]))
        appearance = Appearance(arrays["values"], arrays["slopes"], arrays["firmness"])
        return cls(mesh, points, float(focal), rotations, shifts, patches, appearance)


_PLAIN = ("mesh", "points", "focal", "rotations", "shifts")


@dataclass(frozen=True, eq=False)
class Refined:
    """Of K frames: rotations (K, 3, 3), shifts (K, 3), `normal_equations` (K, 6, 6) and (K, 6), and
    errors (K,): median distance between patches and projected points, pixels."""

    rotations: Float64
    shifts: Float64
    normal: Float64
    right: Float64
    errors: Float64


def refine_frames(fit: Fit, grey: Iterable[Float32], rows: NDArray[np.intp]) -> Refined:
    """Poses of the frames `rows` from their pictures `grey` (H, W). They belong together: how
    far a point usually strays is taken over all of them."""
    points, focal, pictures = fit.points, fit.focal, list(grey)
    rotations, shifts = fit.rotations[rows], fit.shifts[rows]
    share = counts(len(points))
    for _ in range(FRAME_ROUNDS):
        now = Solution(points, rotations, shifts, focal, np.ones(len(points)))
        taken = take(pictures, now, fit.patches)
        places, whiten = find(taken, fit.appearance, now, fit.patches)
        rotations, shifts = refine_poses(points, rotations, shifts, focal, places, whiten, share)
    normal, right = normal_equations(points, rotations, shifts, focal, places, whiten, share)
    strayed = np.linalg.norm(places - project(points, rotations, shifts, focal), axis=2)
    return Refined(rotations, shifts, normal, right, np.median(strayed, 1))
