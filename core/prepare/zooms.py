"""Zooms: at once, from a shot to the next (a punch-in), and slow ones. Both need two witnesses: the
pixels around the person and the size of the face, which grow by the same factor."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ..records.arrays import Float64
from .choice import LEVEL
from .enlargement import Enlarged, enlargement
from .mesh import STABLE
from .surroundings import Surroundings

LEAST = 0.025  # logarithm of a zoom: 2.5 % move a picture's border by 6 of 512 pixels
COMPARED = 16  # frames in which a slow zoom is looked for
CONSISTENT = 0.25  # of the zoom between its ends, by which the sum of two may differ
EXPLAINED = 0.7  # of the background's change may be left by a zoom
FACE_LEAST, FACE_MOST, LEANS = 0.4, 1.6, 0.01  # growth of the face, in zooms; and in itself
# A punch-in happens between two frames: half of the face's growth over AROUND frames on both sides.
AROUND, AT_ONCE, STEP = 4, 0.5, 0.01
SEARCHED = 100  # places at most: some 8 s of work

Look = Callable[[int], Surroundings]


def face_sizes(meshes: Float64) -> Float64:
    """(F,) logarithms of the radii of faces (F, 478, 3), which do not depend on how they turn."""
    points = meshes[:, STABLE]
    spread = ((points - points.mean(1, keepdims=True)) ** 2).sum(2).mean(1)
    return np.asarray(np.log(np.maximum(spread, 1e-6)) / 2)


def punch_ins(
    sizes: Float64, valid: NDArray[np.bool_], cut: NDArray[np.bool_], look: Look
) -> Float64:
    """(F,) by how much (logarithm) each frame is enlarged against the one before: 0 unless a
    punch-in begins there, known cut or not. sizes: as of `face_sizes`; valid (F,): a face was
    found; cut (F,): first frames of shots; look(row): what a frame shows around the person."""
    found = np.zeros(len(sizes))
    rows = np.flatnonzero(valid)
    if len(rows) < 2:
        return found
    steps = _steps(sizes[rows])
    for place in _places(sizes[rows], steps, np.searchsorted(rows, np.flatnonzero(cut))):
        # Not the frames at the place itself: the first one after a cut is often a mixture.
        before, after = rows[max(place - 2, 0)], rows[min(place + 1, len(rows) - 1)]
        match = _match(look(int(before)), look(int(after)), steps[place])
        if match is not None and _agree(match, steps[place]):
            begins = rows[place - 1] + 1 + int(cut[rows[place - 1] + 1 : rows[place] + 1].argmax())
            found[begins if cut[begins] else rows[place]] = match.zoom
    return found


def _steps(sizes: Float64) -> Float64:
    """(K,) the median of the sizes from each on less that of those before it."""
    padded = np.pad(sizes, AROUND, "edge")
    medians = np.median(sliding_window_view(padded, AROUND), axis=1)
    return np.asarray(medians[AROUND : AROUND + len(sizes)] - medians[: len(sizes)])


def _places(sizes: Float64, steps: Float64, cuts: NDArray[np.intp]) -> list[int]:
    """Places among K faces where the picture may be enlarged: the cuts, and where the face grows or
    shrinks at once."""
    grown = np.abs(np.diff(sizes, prepend=sizes[0]))
    near = np.pad(grown, AROUND - 1)
    largest = grown >= sliding_window_view(near, 2 * AROUND - 1).max(1)
    sudden = largest & (grown >= STEP) & (grown >= AT_ONCE * np.abs(steps))
    sudden &= np.abs(steps) >= FACE_LEAST * LEAST
    sudden[cuts[(cuts > 0) & (cuts < len(sizes))]] = True
    sudden[0] = False
    places = np.flatnonzero(sudden)
    return sorted(places[np.argsort(-np.abs(steps[places]))[:SEARCHED]].tolist())


def _match(first: Surroundings, second: Surroundings, guess: float) -> Enlarged | None:
    return enlargement(first.grey, second.grey, first.empty, second.empty, guess)


def _agree(match: Enlarged, face: float) -> bool:
    """True if the picture is enlarged, the face too, and nothing else explains it."""
    zoom = abs(match.zoom)
    grown = face * float(np.sign(match.zoom))
    least, most = FACE_LEAST * zoom, FACE_MOST * zoom + LEANS
    return zoom >= LEAST and match.rest <= EXPLAINED and least <= grown <= most


def levels(zooms: Float64) -> Float64:
    """(F,) the scale (logarithm) of each frame against the first, from `punch_ins`. Framings that
    come back have the same one."""
    known = [0.0]
    out, level = np.zeros(len(zooms)), 0.0
    for row in np.flatnonzero(zooms):
        level += zooms[row]
        nearest = min(known, key=lambda one: abs(one - level))
        if abs(nearest - level) <= LEVEL:
            level = nearest
        else:
            known.append(level)
        out[row:] = level
    return out


def slow_zoom(around: Sequence[Surroundings], sizes: Float64) -> Float64 | None:
    """(K,) the scale (logarithm) of each of K frames against their middle one, if the film zooms
    within its shots; None if not. sizes (K,): of the faces in them, as of `face_sizes`."""
    some = np.unique(np.linspace(0, len(around) - 1, COMPARED).astype(int))
    middle = len(around) // 2
    found = []
    for row in some:
        guess = float(sizes[row] - sizes[middle])
        match = _match(around[middle], around[row], guess)
        if match is None:
            return None
        found.append(match.zoom)
    zooms = np.array(found)
    far, near = int(zooms.argmax()), int(zooms.argmin())
    extent = float(zooms[far] - zooms[near])
    if extent < LEAST:
        return None
    ends = _match(around[some[near]], around[some[far]], extent)
    if ends is None or ends.rest > EXPLAINED or abs(ends.zoom - extent) > CONSISTENT * extent:
        return None
    growth, start = np.polyfit(zooms, sizes[some], 1)
    # The more a person leans to and fro, the less the face tells.
    leaning = float(np.std(sizes[some] - start - growth * zooms) / zooms.std())
    if not FACE_LEAST - leaning / 2 <= growth <= FACE_MOST + leaning / 2:
        return None
    return np.asarray(np.interp(np.arange(len(around)), some, zooms))
