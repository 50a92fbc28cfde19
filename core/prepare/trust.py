"""Which frames a training can trust, each judged by itself and by the others of its shot.

Measured on twelve clips of people who talk (6,800 frames) and on 216 of their frames whose mouths
were painted over with a box, a hand of the face's own colour or a microphone: see COVERED."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..records.arrays import Float64
from .mesh import MIRRORED, OVAL, SKIN_POINTS

NOSE_BASE = 2  # the point between nose and lip: above it lies the upper half of a face
# Of the uncovered frames none correlates less than 0.70 with its clip's usual lower half of the
# face and none differs by more than 0.54 of its contrast. A box gives 0.67 and 0.58 at most and at
# least, a hand 0.67 and 0.33, a microphone 0.92 and 0.13: small ones are not seen on a dark face.
COVERED, STRANGE = 0.65, 0.6
# The upper half: no uncovered frame below 0.67, the lowest with the head far down.
COVERED_EYES = 0.55
PROFILE = 45.0  # degrees from which half of the face is out of sight, and its mesh is guessed
CHUNK = 1024  # frames in memory at a time
OUTSIDE = 0.05  # share of the outline that may lie outside the picture


def turned(meshes: Float64) -> Float64:
    """(F, 2) degrees by which faces (F, 478, 3), as MediaPipe gives them, are turned: to the
    picture's right, and down."""
    across = (meshes[:, MIRRORED[:, 1]] - meshes[:, MIRRORED[:, 0]]).mean(1)
    down = meshes[:, 152] - meshes[:, 10]
    front = np.cross(down, across)  # x right, y down, z away: the viewer is at -z
    front /= np.maximum(np.linalg.norm(front, axis=1, keepdims=True), 1e-9)
    yaw = np.degrees(np.arctan2(front[:, 0], -front[:, 2]))
    pitch = np.degrees(np.arcsin(np.clip(front[:, 1], -1, 1)))
    return np.stack([yaw, pitch], 1)


def at_border(meshes: Float64, size: int) -> NDArray[np.bool_]:
    """(F,) True where the picture's border cuts the face off."""
    outline = meshes[:, OVAL, :2]
    outside = ((outline < 0) | (outline > size)).any(2).mean(1)
    return np.asarray(outside > OUTSIDE)


def lower_half(head: Float64) -> NDArray[np.bool_]:
    """(468,) True for the points below the nose, of a mean face (478, 3) in the head's frame."""
    return np.asarray(head[:SKIN_POINTS, 1] < head[NOSE_BASE, 1])


def covered(skin: NDArray[np.uint8], reference: Float64, head: Float64) -> NDArray[np.bool_]:
    """(F,) True where something lies before the face: skin (F, 468, 3) colours at its points,
    reference (468, 3) the usual ones, head (478, 3) the mean face in the head's frame."""
    low = lower_half(head)
    parts = [skin[first : first + CHUNK] for first in range(0, len(skin), CHUNK)]
    return np.concatenate([_covered(part, reference, low) for part in parts])


def _covered(
    skin: NDArray[np.uint8], reference: Float64, low: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    colours = skin.astype(np.float32)
    alike = _correlations(colours[:, low], reference[low])
    eyes = _correlations(colours[:, ~low], reference[~low])
    return np.asarray(
        (alike < COVERED)
        | (eyes < COVERED_EYES)
        | (_strangeness(colours, reference, low, ~low) > STRANGE)
        | (_strangeness(colours, reference, ~low, low) > STRANGE)
    )


def _correlations(colours: NDArray[np.float32], reference: Float64) -> Float64:
    """(F,) correlation of (F, P, 3) with (P, 3), each colour by itself less its mean."""
    a = colours - colours.mean(1, keepdims=True)
    b = (reference - reference.mean(0)).astype(np.float32)
    scale = np.sqrt((a * a).sum((1, 2)) * (b * b).sum())
    return np.asarray((a * b).sum((1, 2)) / np.maximum(scale, 1e-6), np.float64)


def _strangeness(
    colours: NDArray[np.float32],
    reference: Float64,
    part: NDArray[np.bool_],
    other: NDArray[np.bool_],
) -> Float64:
    """(F,) median difference of a part's colours from the usual ones, in contrasts of the face,
    after the light was matched on the other part."""
    usual = reference.astype(np.float32)
    gain = colours[:, other].std((1, 2)) / max(float(usual[other].std()), 1.0)
    lifted = usual * gain[:, None, None]
    lifted += np.median(colours[:, other] - lifted[:, other], axis=1)[:, None]
    apart = np.abs(colours[:, part] - lifted[:, part]).mean(2)
    return np.asarray(np.median(apart, axis=1) / max(float(usual.std(0).mean()), 1.0), np.float64)
