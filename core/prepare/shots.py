"""The step that finds the shots of the film and the frames that a training can trust."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import VideoError
from ..records.arrays import Float64
from .choice import SHORT, Look, chosen, half_alike, look_of, same_framing, same_person
from .cuts import black_frames, find_cuts, frozen_frames, runs
from .face import FaceMesher, quiet
from .fades import faded_frames
from .landmarks import MESHES, load_signals, save_meshes
from .options import FPS, MIN_SECONDS
from .outlines import outlines_of
from .signals import Signals, signals_of
from .step import Files, Step
from .surroundings import Surroundings, surroundings
from .trust import PROFILE, at_border, covered, turned
from .zooms import face_sizes, levels, punch_ins

SHOTS = "shots.npz"
# Frames after a cut whose mesh is found anew: the mesher looks where the face was before the cut.
ANEW = 8
# Why frames are left out; the first reason of a frame counts.
REASONS = (
    "used",
    "black",
    "without a face",
    "frozen",
    "with two faces",
    "in profile",
    "cut off by the border",
    "in shots under half a second",
    "of another person or in other light",
    "in another framing",
    "with something before the face",
    "at a cut",
    "in a cross-fade",
)
(USED, BLACK, NO_FACE, STILL, TWO, SIDE, BORDER, BRIEF, PERSON, FRAMING, COVERED, CUT, FADE) = (
    range(13)
)
STILL_MOUTH, STILL_EYES = 0.015, 0.06  # openings, of the face's height and of the eyes' width


@dataclass(frozen=True, eq=False)
class Shots:
    """number (F,): the shot of each frame, ascending. reason (F,): why a frame is left out, as an
    index of REASONS, 0 for a used one."""

    number: NDArray[np.int32]
    reason: NDArray[np.int8]

    @property
    def used(self) -> NDArray[np.bool_]:
        return self.reason == USED

    @property
    def rows(self) -> list[int]:
        """The used frames."""
        return [int(row) for row in np.flatnonzero(self.used)]


def load_shots(files: Files) -> Shots:
    found = files.load(SHOTS)
    return Shots(found["number"], found["reason"])


def find_shots(step: Step) -> dict[str, Any]:
    """Choose the frames to train on. VideoError if there are too few, with the reason."""
    found = step.load(MESHES)
    meshes, valid, rivals = found["meshes"], found["valid"].astype(bool), found["rivals"]
    signals = load_signals(step)
    cut = find_cuts(signals.small, meshes.astype(np.float64), valid)
    if cut.any():
        _mend(step, meshes, valid, signals, cut)
        save_meshes(step, meshes, valid, rivals)
        meshes = step.load(MESHES)["meshes"]
    exact = meshes.astype(np.float64)
    zooms = _punch_ins(step, exact, valid, cut)
    shots = choose(signals, exact, valid, rivals.astype(bool), cut, step.options.size, zooms)
    step.save(SHOTS, number=shots.number, reason=shots.reason)
    name = str(step.video)
    check(shots, name)
    if is_still(exact[shots.used]):
        raise VideoError(
            f"{name} shows a still picture: neither mouth nor eyes move; give a film of the person "
            "speaking"
        )
    if not shots.used.all():
        step.note(summary(shots))
    step.progress(1, 1)
    return {
        "used": int(shots.used.sum()),
        "left_out": counted(shots),
        "used_seconds": [[round(a / FPS, 2), round(b / FPS, 2)] for a, b in stretches(shots)],
        "shots": int(shots.number.max()) + 1,
    }


def _mend(
    step: Step,
    meshes: NDArray[np.float32],
    valid: NDArray[np.bool_],
    signals: Signals,
    cut: NDArray[np.bool_],
) -> None:
    """Find the meshes after cuts anew, and the colours at their points, in place."""
    starts = np.flatnonzero(cut)
    with quiet(step.side):
        mesher = FaceMesher(step.options.landmark_model)
        for first, end in itertools.pairwise([*starts, len(cut)]):
            mesher.forget()
            for row in range(first, min(first + ANEW, end)):
                pixels = step.pixels(row)
                faces = mesher.find(pixels)
                valid[row] = bool(faces)
                if faces:
                    meshes[row] = faces[0]
                    signals.skin[row] = signals_of(pixels, meshes[row : row + 1])[1][0]
            step.stop_if_cancelled()


def _punch_ins(
    step: Step, meshes: Float64, valid: NDArray[np.bool_], cut: NDArray[np.bool_]
) -> Float64:
    """(F,) as of `punch_ins`."""
    outlines = cache(lambda: outlines_of(step.files))  # most films need none

    def look(row: int) -> Surroundings:
        step.stop_if_cancelled()
        return surroundings(outlines(), row)

    with quiet(step.side):
        return punch_ins(face_sizes(meshes), valid, cut, look)


def choose(
    signals: Signals,
    meshes: Float64,
    valid: NDArray[np.bool_],
    rivals: NDArray[np.bool_],
    cut: NDArray[np.bool_],
    size: int,
    zooms: Float64 | None = None,
) -> Shots:
    """Judge every frame: meshes (F, 478, 3), valid (F,): a face was found, rivals (F,): another one
    is as large, cut (F,): first frames of shots, size of the pictures, zooms (F,): as of
    `punch_ins`."""
    zooms = np.zeros(len(cut)) if zooms is None else zooms
    level, cut = levels(zooms), cut | (zooms != 0)
    number = np.cumsum(cut).astype(np.int32)
    reason = np.zeros(len(cut), np.int8)

    def leave(rows: NDArray[np.bool_], why: int) -> None:
        reason[rows & (reason == USED)] = why

    leave(black_frames(signals.small), BLACK)
    leave(faded_frames(signals.small), FADE)
    leave(~valid, NO_FACE)
    leave(frozen_frames(signals.small), STILL)
    leave(rivals, TWO)
    leave(np.abs(turned(meshes)[:, 0]) > PROFILE, SIDE)
    leave(at_border(meshes, size), BORDER)
    borders = [*np.flatnonzero(np.diff(number, prepend=-1)), len(number)]
    trusted = reason == USED
    looks = [
        replace(look_of(int(a), int(b), trusted, meshes, signals.skin), zoom=float(level[a]))
        for a, b in itertools.pairwise(borders)
    ]
    members, seed = chosen(looks)
    for index, look in enumerate(looks):
        if index not in members:
            leave(number == number[look.first], _why(look, looks[seed] if members else None))
    if members:
        rows = np.flatnonzero(reason == USED)
        usual = np.median(signals.skin[rows[:: max(1, len(rows) // 600)]], axis=0)
        leave(covered(signals.skin, usual, looks[seed].head), COVERED)
        # The first picture after a cut is often a mixture of both sides.
        leave(cut, CUT)
    return Shots(number, reason)


def _why(look: Look, seed: Look | None) -> int:
    if look.trusted < SHORT or seed is None:
        return BRIEF
    if same_person(look, seed):
        return FRAMING
    return COVERED if same_framing(look, seed) and half_alike(look, seed) else PERSON


def is_still(meshes: Float64) -> bool:
    """True if a face (K, 478, 3) moves neither mouth nor eyes. In any 4 s of twelve people one of
    the two changes by more than twice these limits; of a photograph that is moved about the mouth
    changes by 0.010 and the eyes by 0.035, because a mesh is not exact."""
    flat = meshes[..., :2]
    right = _apart(flat, 159, 145) / _apart(flat, 33, 133)
    left = _apart(flat, 386, 374) / _apart(flat, 362, 263)
    mouth = _apart(flat, 13, 14) / _apart(flat, 10, 152)
    low, high = np.percentile(np.stack([mouth, (right + left) / 2]), [1, 99], axis=1)
    return bool(high[0] - low[0] < STILL_MOUTH and high[1] - low[1] < STILL_EYES)


def _apart(points: Float64, a: int, b: int) -> Float64:
    return np.asarray(np.maximum(np.linalg.norm(points[:, a] - points[:, b], axis=1), 1e-6))


def counted(shots: Shots) -> dict[str, int]:
    """Frames left out, by reason."""
    numbers = np.bincount(shots.reason, minlength=len(REASONS))
    return {REASONS[why]: int(numbers[why]) for why in range(1, len(REASONS)) if numbers[why]}


def stretches(shots: Shots) -> list[tuple[int, int]]:
    """(first, stop) frames of what is used; gaps under half a second do not part it."""
    found: list[tuple[int, int]] = []
    for first, stop in runs(shots.used):
        if found and first - found[-1][1] < SHORT:
            found[-1] = (found[-1][0], stop)
        else:
            found.append((first, stop))
    return found


def summary(shots: Shots) -> str:
    """One line: what is used, and what is left out."""
    parts = [f"{a / FPS:.1f} to {b / FPS:.1f} s" for a, b in stretches(shots)]
    more = f" and {len(parts) - 4} more" if len(parts) > 4 else ""
    used = ", ".join(parts[:4]) + more
    left_out = reasons_text(counted(shots))
    return f"using {used} of {len(shots.reason) / FPS:.1f} s; left out: {left_out}"


def reasons_text(left_out: Mapping[str, int]) -> str:
    """For example "3.0 s without a face, 2 frames at a cut"."""
    texts = []
    for reason, frames in left_out.items():
        many = frames >= SHORT
        amount = f"{frames / FPS:.1f} s" if many else f"{frames} frame{'s' * (frames > 1)}"
        texts.append(f"{amount} {reason}")
    return ", ".join(texts)


ADVICE = {
    BLACK: "give a film whose pictures are not black",
    NO_FACE: "take a part in which the person faces the camera, with --start and --seconds",
    STILL: "give a film whose pictures move",
    TWO: "cut it to one person, or name the person's square with --crop x,y,side",
    SIDE: "give a film in which the person faces the camera",
    BORDER: "name a larger square with --crop x,y,side, or film from farther away",
    BRIEF: "give a film that is not cut so often",
    PERSON: "take the part that shows one person, with --start and --seconds",
    FRAMING: "take a part without zooms, with --start and --seconds",
    COVERED: "give a film in which nothing is before the face",
    CUT: "give a film that is not cut so often",
    FADE: "give a film without cross-fades",
}


def check(shots: Shots, name: str) -> None:
    """VideoError if less is left than a dataset needs."""
    used, count = int(shots.used.sum()), len(shots.reason)
    if used >= MIN_SECONDS * FPS:
        return
    most = int(np.bincount(shots.reason, minlength=len(REASONS))[1:].argmax()) + 1
    raise VideoError(
        f"{name} has {used / FPS:.1f} s of {count / FPS:.1f} s that can be used "
        f"({reasons_text(counted(shots))}); a dataset needs {MIN_SECONDS:g} s at least of one "
        f"person in one framing: {ADVICE[most]}"
    )
