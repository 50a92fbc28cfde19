"""Errors of a prepared dataset against a true dataset of the same frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..dataset.eyes import read_eyes
from ..dataset.files import torso_files
from ..dataset.landmarks import read_landmarks
from ..dataset.pictures import Size, over, read_picture
from ..dataset.report import Report
from ..dataset.transforms import Lens, lens_of, poses_of, read_documents
from ..errors import DatasetError
from ..metrics.pictures import psnr
from ..records.arrays import Float64
from .background import evenly_spaced
from .mask_regions import HEAD, Mask, Regions, to_regions
from .pictures import Pixels

FRAMES = 60  # whose masks, torso and background are compared
SKIN = slice(17, 68)  # landmarks without the outline, which slides along the cheek
LEAST_FRAMES = 4  # with poses in both: their changes of the turn are compared, too


def compare(found: Path, truth: Path) -> dict[str, float]:
    """Figures by name, which contains the unit. DatasetError if a file is missing or damaged, or if
    the two are of other films."""
    figures: dict[str, float] = {}
    size = _size(found, truth)
    ours, true = _landmarks(found), _landmarks(truth)
    count = min(len(ours), len(true))
    apart = ours[:count] - true[:count]
    figures["landmarks px"] = float(np.linalg.norm(apart, axis=2).mean())
    figures["landmarks without the outline px"] = float(
        np.linalg.norm(apart[:, SKIN], axis=2).mean()
    )
    # Two definitions of the same point differ by a constant offset on the skin.
    steady = apart - apart.mean(0)
    figures["landmarks less their mean offset px"] = float(np.linalg.norm(steady, axis=2).mean())
    figures |= _poses(found, truth, count)
    eyes = read_eyes(found, count, lambda: ours[:count].astype(np.float32), [])
    true_eyes = read_eyes(truth, count, lambda: true[:count].astype(np.float32), [])
    # NaN where one has no blink.
    with np.errstate(divide="ignore", invalid="ignore"):
        figures["eye closure correlation"] = float(np.corrcoef(eyes, true_eyes)[0, 1])
    figures["eye closure mean error"] = float(np.abs(eyes - true_eyes).mean())
    figures |= _pictures(found, truth, count, size)
    return figures


def _landmarks(folder: Path) -> Float64:
    """(F, 68, 2) of the frames from 0 up to the first that has none."""
    rows: list[Float64] = []
    while (path := folder / "ori_imgs" / f"{len(rows)}.lms").exists():
        found = read_landmarks(path)
        if found is None:
            raise DatasetError(f"{path} does not hold 68 landmarks; make the dataset again")
        rows.append(found.astype(np.float64))
    if not rows:
        raise DatasetError(f"{folder} has no landmarks (ori_imgs/0.lms); give a whole dataset")
    return np.stack(rows)


def _size(found: Path, truth: Path) -> Size:
    """Of the pictures of both."""
    sizes = [_camera(folder)[0][1:] for folder in (found, truth)]
    if sizes[0] != sizes[1]:
        (a, b), (c, d) = sizes
        raise DatasetError(
            f"the pictures of {found} are {a}x{b} pixels, those of {truth} {c}x{d}; prepare the "
            "film in the size of the true dataset (--size)"
        )
    return sizes[0]


def _camera(folder: Path) -> tuple[Lens, Float64]:
    """The lens, and poses (F, 4, 4) by frame, NaN where left out: from the JSON files, which are
    read without PyTorch."""
    report = Report()
    documents = read_documents(folder, report)
    lens = lens_of(folder, documents, report)
    report.finish()
    assert lens is not None  # else an error is in the report
    return lens, poses_of(documents)


def _poses(found: Path, truth: Path, count: int) -> dict[str, float]:
    """Errors of the turns, after one rotation for the clip has aligned the two head frames."""
    (focal, *_), ours = _camera(found)
    (true_focal, *_), true = _camera(truth)
    count = min(count, len(ours), len(true))
    rows = np.flatnonzero(np.isfinite(ours[:count] + true[:count]).all((1, 2)))
    if len(rows) < LEAST_FRAMES:
        raise DatasetError(
            f"{found} and {truth} have poses of {len(rows)} frames in common; give two datasets of "
            "one film"
        )
    a, b = ours[rows, :3, :3], true[rows, :3, :3]
    u, _, vt = np.linalg.svd((np.swapaxes(a, 1, 2) @ b).mean(0))
    laid = a @ (u @ vt)
    errors = _angles(laid @ np.swapaxes(b, 1, 2))
    jerks = [_jerk(laid), _jerk(b)]
    return {
        "focal length": focal,
        "focal length error %": 100 * (focal / true_focal - 1),
        "head pose mean error degrees": float(errors.mean()),
        "head pose 95 % error degrees": float(np.percentile(errors, 95)),
        "head pose largest error degrees": float(errors.max()),
        "head pose jitter degrees": jerks[0],
        "true head's jitter degrees": jerks[1],
    }


def _jerk(rotations: Float64) -> float:
    """Root mean square change of the turn from one pair of frames to the next, degrees."""
    turns = rotations[1:] @ np.swapaxes(rotations[:-1], 1, 2)
    changes = _angles(turns[1:] @ np.swapaxes(turns[:-1], 1, 2))
    return float(np.sqrt((changes**2).mean()))


def _angles(rotations: Float64) -> Float64:
    cosine = (np.trace(rotations, axis1=1, axis2=2) - 1) / 2
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def _pictures(found: Path, truth: Path, count: int, size: Size) -> dict[str, float]:
    rows = evenly_spaced(range(count), FRAMES)
    both: dict[str, list[float]] = {name: [] for name in ("head", "person", "torso", "edge")}
    images = [read_picture(folder / "bc.jpg", "RGB", size) for folder in (found, truth)]
    torsos = [bool(torso_files(folder)) for folder in (found, truth)]
    for row in rows:
        a, b = (_regions(folder, row, size) for folder in (found, truth))
        both["head"].append(_overlap(a == HEAD, b == HEAD))
        both["person"].append(_overlap(a > 0, b > 0))
        if all(torsos):
            laid = [
                over(read_picture(folder / "torso_imgs" / f"{row}.png", "RGBA", size), background)
                for folder, background in zip((found, truth), images, strict=True)
            ]
            # Training sees it only outside both heads.
            seen = (a != HEAD) & (b != HEAD)
            both["torso"].append(_psnr(laid[0][seen], laid[1][seen]))
    person = _regions(truth, rows[0], size) > 0
    return {
        "head mask IoU": float(np.mean(both["head"])),
        "person mask IoU": float(np.mean(both["person"])),
        "background outside the person PSNR dB": _psnr(images[0][~person], images[1][~person]),
        "background everywhere PSNR dB": _psnr(*images),
        "torso over background, outside heads, PSNR dB": float(np.mean(both["torso"] or [0.0])),
    }


def _regions(folder: Path, row: int, size: Size) -> Regions:
    return to_regions(read_picture(folder / "parsing" / f"{row}.png", "RGB", size))


def _overlap(a: Mask, b: Mask) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


def _psnr(a: Pixels, b: Pixels) -> float:
    return psnr(a / 255, b / 255)
