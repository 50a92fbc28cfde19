"""Errors of a prepared dataset against a true dataset of the same frames."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ..dataset.eyes import read_eyes
from ..dataset.files import torso_files
from ..dataset.pictures import over, read_picture
from ..errors import DatasetError
from ..metrics.pictures import psnr
from ..records.arrays import Float64
from ..system.files import read_bounded
from .background import evenly_spaced
from .mask_regions import HEAD, Mask, to_regions
from .pictures import Pixels

FRAMES = 60  # whose masks, torso and background are compared
SKIN = slice(17, 68)  # landmarks without the outline, which slides along the cheek
MAX_TEXT = 2**28


def compare(found: Path, truth: Path) -> dict[str, float]:
    """Figures by name, which contains the unit. DatasetError if a file is missing."""
    figures: dict[str, float] = {}
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
    figures["eye closure correlation"] = float(np.corrcoef(eyes, true_eyes)[0, 1])
    figures["eye closure mean error"] = float(np.abs(eyes - true_eyes).mean())
    figures |= _pictures(found, truth, count)
    return figures


def _landmarks(folder: Path) -> Float64:
    """(F, 68, 2)."""
    rows: list[Float64] = []
    while (path := folder / "ori_imgs" / f"{len(rows)}.lms").exists():
        words = read_bounded(path, DatasetError, MAX_TEXT).split()
        rows.append(np.array(words, np.float64).reshape(68, 2))
    if not rows:
        raise DatasetError(f"{folder} has no landmarks (ori_imgs/0.lms); give a whole dataset")
    return np.stack(rows)


def _viewmats(folder: Path) -> tuple[Float64, float]:
    """Poses (F, 4, 4) by frame, NaN where left out, and the focal length: from the JSON files,
    which are read without PyTorch."""
    poses: dict[int, Float64] = {}
    focal = 0.0
    for name in ("train", "val"):
        path = folder / f"transforms_{name}.json"
        document = json.loads(read_bounded(path, DatasetError, MAX_TEXT))
        focal = float(document["focal_len"])
        for frame in document["frames"]:
            pose = np.linalg.inv(np.array(frame["transform_matrix"], np.float64))
            pose[:3, 3] *= 10
            poses[frame["img_id"]] = np.diag([1.0, -1.0, -1.0, 1.0]) @ pose
    out = np.full((max(poses) + 1, 4, 4), np.nan)
    for row, pose in poses.items():
        out[row] = pose
    return out, focal


def _poses(found: Path, truth: Path, count: int) -> dict[str, float]:
    """Errors of the turns, after one rotation for the clip has aligned the two head frames."""
    ours, focal = _viewmats(found)
    true, true_focal = _viewmats(truth)
    count = min(count, len(ours), len(true))
    rows = np.flatnonzero(np.isfinite(ours[:count] + true[:count]).all((1, 2)))
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


def _pictures(found: Path, truth: Path, count: int) -> dict[str, float]:
    rows = evenly_spaced(range(count), FRAMES)
    both: dict[str, list[float]] = {name: [] for name in ("head", "person", "torso", "edge")}
    images = [read_picture(folder / "bc.jpg") for folder in (found, truth)]
    torsos = [bool(torso_files(folder)) for folder in (found, truth)]
    for row in rows:
        a, b = (to_regions(read_picture(f / "parsing" / f"{row}.png")) for f in (found, truth))
        both["head"].append(_overlap(a == HEAD, b == HEAD))
        both["person"].append(_overlap(a > 0, b > 0))
        if all(torsos):
            laid = [
                over(read_picture(folder / "torso_imgs" / f"{row}.png", "RGBA"), background)
                for folder, background in zip((found, truth), images, strict=True)
            ]
            # Training sees it only outside both heads.
            seen = (a != HEAD) & (b != HEAD)
            both["torso"].append(_psnr(laid[0][seen], laid[1][seen]))
    person = to_regions(read_picture(truth / "parsing" / f"{rows[0]}.png")) > 0
    return {
        "head mask IoU": float(np.mean(both["head"])),
        "person mask IoU": float(np.mean(both["person"])),
        "background outside the person PSNR dB": _psnr(images[0][~person], images[1][~person]),
        "background everywhere PSNR dB": _psnr(*images),
        "torso over background, outside heads, PSNR dB": float(np.mean(both["torso"] or [0.0])),
    }


def _overlap(a: Mask, b: Mask) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


def _psnr(a: Pixels, b: Pixels) -> float:
    return psnr(a / 255, b / 255)
