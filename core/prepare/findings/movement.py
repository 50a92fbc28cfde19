"""How much head and mouth move in a clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...records.arrays import Float64
from ..lip_sync import mouth_measures
from ..mesh import OVAL
from ..trust import turned

FAR = 30.0  # degrees from the usual view, beyond which a part of the face is rarely seen


@dataclass(frozen=True)
class Movement:
    """face: height of the face in the pictures, pixels. view: degrees by which the head is usually
    turned to a side. turns: degrees between the 5 % that are turned most to each side, or up and
    down, whichever is more. far: % of the frames turned by more than FAR from the usual view.
    mouth: change of the lips' opening, % of the distance of the eyes' outer corners."""

    face: float
    view: float
    turns: float
    far: float
    mouth: float


def movement_of(meshes: Float64) -> Movement:
    """Of the face meshes (F, 478, 3) of a clip."""
    turns = turned(meshes)
    usual = np.median(turns, axis=0)
    low, high = np.percentile(turns, [5, 95], axis=0)
    opening = mouth_measures(meshes)[:, 0]
    shut, wide = np.percentile(opening, [5, 95])
    return Movement(
        face=float(np.median(np.ptp(meshes[:, OVAL, 1], axis=1))),
        view=abs(float(usual[0])),
        turns=float((high - low).max()),
        far=100 * float((np.abs(turns - usual).max(1) > FAR).mean()),
        mouth=100 * float(wide - shut),
    )
