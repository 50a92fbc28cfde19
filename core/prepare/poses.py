"""The steps that find the head's pose and the eyes of every frame."""

from __future__ import annotations

import json
import shutil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dataset.pictures import read_picture
from ..errors import VideoError
from ..formats.torch_writer import torch_bytes
from ..records.arrays import Float32, Float64
from .background import evenly_spaced
from .bundle import Solution
from .eyes import closure, table
from .landmarks import MESHES
from .mask_regions import HEAD, to_regions
from .pictures import write_bytes
from .refine import Fit, Refined, refine_frames
from .shots import Shots, load_shots
from .step import Files, Step, all_there
from .surface import head_points
from .tracking import ROUNDS, Begun, finish_track, fit_head
from .transforms import documents, official

POINT_FRAMES = 24  # whose masks bound the head
TRACK = "track.npz"
PARTS = "pose"  # folder of what is finished, while the step runs
FIT, BEGUN = f"{PARTS}/fit.npz", f"{PARTS}/rounds.npz"  # of the head; of its fit so far
PART = 64  # frames that are refined together
FIT_SHARE = 0.5  # of the work on all frames that fitting the head is, about, in a clip of a minute


def track_poses(step: Step, keep: bool) -> dict[str, Any]:
    """Write head pose and focal length: transforms_train.json, transforms_val.json. keep: the
    fitted head and finished parts are valid and stay."""
    if not keep:
        shutil.rmtree(step.side / PARTS, ignore_errors=True)
    step.make(f"{step.side.name}/{PARTS}")
    meshes, shots = step.load(MESHES)["meshes"].astype(np.float64), load_shots(step)
    size = step.options.size
    try:
        fit = _fitted(step, meshes, shots)
        refined = _refined(step, np.flatnonzero(shots.used))
        result = finish_track(meshes, shots.used, shots.number, size, fit, refined)
    except np.linalg.LinAlgError:
        result = None
    if result is None or not np.isfinite(result.rotations + result.shifts[..., None]).all():
        raise VideoError(
            f"no head's pose fits the landmarks of {step.video}; look at the frames in "
            f"{step.folder / 'ori_imgs'}, and take a part with --start and --seconds"
        )
    step.save(
        TRACK, mesh=result.mesh, rotations=result.rotations, shifts=result.shifts,
        focal=np.array(result.focal),
    )  # fmt: skip
    train, val = documents(result.rotations, result.shifts, result.focal, size, shots.rows)
    for name, document in (("train", train), ("val", val)):
        write_bytes(step.folder / f"transforms_{name}.json", json.dumps(document).encode())
    shutil.rmtree(step.side / PARTS, ignore_errors=True)
    return {"focal": round(result.focal, 2), "error": round(result.error, 3)}


def _grey(files: Files, row: int) -> Float32:
    from scipy.ndimage import gaussian_filter

    picture = read_picture(files.image(row), "L").astype(np.float32)
    return np.asarray(gaussian_filter(picture, 0.7 * len(picture) / 512))


def _fitted(step: Step, meshes: Float64, shots: Shots) -> Fit:
    """The head, fitted to some frames; read if an earlier run has fitted it, continued if one has
    begun to."""
    if not all_there([step.side / FIT]):
        work = int(shots.used.sum())

        def on_round(done: int, solution: Solution) -> None:
            if done < ROUNDS:
                step.save(BEGUN, done=np.array(done), **vars(solution))
            step.progress(round(FIT_SHARE * work * done / ROUNDS), round((1 + FIT_SHARE) * work))

        def pictures(rows: NDArray[np.intp]) -> Float32:
            return np.stack([_grey(step, int(row)) for row in rows])

        size, focal = step.options.size, step.options.focal
        fit = fit_head(
            meshes,
            shots.used,
            shots.number,
            size,
            pictures,
            focal,
            on_round,
            _begun(step),
            threads=step.cores,
        )
        step.save(FIT, **fit.arrays())
    return _read_fit(step)[1]


def _begun(files: Files) -> Begun | None:
    """The fit of an earlier run, None if there is none."""
    if not all_there([files.side / BEGUN]):
        return None
    found = files.load(BEGUN)
    done, focal = int(found.pop("done")), float(found.pop("focal"))
    return done, Solution(focal=focal, **found)


def _read_fit(files: Files) -> tuple[Files, Fit]:
    return files, Fit.of(files.load(FIT))


def _refined(step: Step, rows: NDArray[np.intp]) -> Refined:
    """The poses of the frames `rows`, in parts of which an earlier run may have finished some."""
    parts = [rows[first : first + PART] for first in range(0, len(rows), PART)]
    missing = [part for part in parts if not all_there([step.side / _part(part)])]
    kept, fit = len(rows) - sum(map(len, missing)), round(FIT_SHARE * len(rows))
    for _ in step.spread(
        _refine_part, missing, _read_fit, span=(fit + kept, fit + len(rows), fit + len(rows))
    ):
        pass
    found = [step.load(_part(part)) for part in parts]
    return Refined(**{name: np.concatenate([one[name] for one in found]) for name in found[0]})


def _part(rows: NDArray[np.intp]) -> str:
    return f"{PARTS}/{rows[0]}.npz"


def _refine_part(tool: tuple[Files, Fit], rows: NDArray[np.intp]) -> None:
    files, fit = tool
    found = refine_frames(fit, [_grey(files, int(row)) for row in rows], rows)
    files.save(_part(rows), **vars(found))


def write_points(step: Step) -> dict[str, Any]:
    """Write track_params.pt: the poses, and initial points of a training, all over the head."""
    track = step.load(TRACK)
    rows = evenly_spaced(load_shots(step).rows, POINT_FRAMES)
    heads = [to_regions(read_picture(step.parsing(row))) == HEAD for row in rows]
    turns, shifts, focal = track["rotations"], track["shifts"], float(track["focal"])
    points = head_points(track["mesh"], turns[rows], shifts[rows], focal, heads, step.cores)
    euler, trans = official(turns, shifts)
    tensors = {"euler": euler, "trans": trans, "focal": track["focal"], "vertices": points[None]}
    tensors["focal"] = tensors["focal"].reshape(1)
    write_bytes(step.folder / "track_params.pt", torch_bytes(tensors))
    step.progress(1, 1)
    return {"points": len(points)}


def write_eyes(step: Step) -> dict[str, Any]:
    """Write au.csv."""
    used = load_shots(step).used
    closed = closure(step.load(MESHES)["meshes"].astype(np.float64), used)
    write_bytes(step.folder / "au.csv", table(closed, used).encode())
    blinks = int((np.diff((closed > 0.5).astype(int)) == 1)[used[1:]].sum())
    if blinks == 0:
        step.note("the person never blinks; the avatar's eyes will not close")
    step.progress(1, 1)
    return {"blinks": blinks}
