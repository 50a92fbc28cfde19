"""The inside of the mouth: Gaussians of its own behind the lips.

The still face of the first stage has no teeth: its mouth is hardly open. Without Gaussians behind
the lips the network would have to make teeth of lips, and a mouth that is wide open in a few frames
stays pink. So the frames with the widest mouths give them, each pixel between the lips at a depth
behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..dataset.clip import TrainingClip
from ..dataset.landmarks import INNER_LIP, MOUTH
from ..images.pillow import pillow
from ..images.sampling import bilinear
from ..records.arrays import Float64
from ..records.gaussians import C0
from .batches import Batches
from .head import FIELDS, Head

DEPTH = 0.1  # decimetres from the lips' surface to the teeth
NEAREST = 8  # points of the surface that give the lips' depth
WIDEST = 0.1  # share of the frames: those with the largest opening
MOST_FRAMES = 60
LEAST_FRAMES = 3  # that must show a place
SPACING = 1.25  # pixels between places
LEAST = 12  # places: a mouth that shows less is not open
OPACITY = 0.5  # of the new Gaussians, which are a surface already


@dataclass(frozen=True, eq=False)
class Inside:
    """means (K, 3): decimetres, in the head's frame. colours (K, 3) in 0..1. spacing: decimetres
    between neighbours."""

    means: Float64
    colours: Float64
    spacing: float


def inside_of(clip: TrainingClip, rows: NDArray[np.int64], places: Float64 | None) -> Inside | None:
    """What is seen between the lips in the frames `rows`, which have landmarks. places (68, 3): the
    landmarks' mean places. None if the clip cannot tell, or never shows an open mouth."""
    if places is None or not len(rows):
        return None
    lips = clip.landmarks[rows][:, INNER_LIP].astype(np.float64)
    count = min(MOST_FRAMES, max(LEAST_FRAMES, round(WIDEST * len(rows))))
    widest = np.argsort(-_areas(lips), kind="stable")[:count]
    grid, spacing = _grid(clip, rows[widest], places)
    seen = np.full((len(widest), len(grid), 3), np.nan)
    for k, row in enumerate(rows[widest]):
        camera = clip.viewmats[row][:3, :3] @ grid.T + clip.viewmats[row][:3, 3:]
        pixels = (camera[:2] / camera[2]).T * clip.focal + (clip.width / 2, clip.height / 2)
        between = _between(lips[widest[k]], pixels, clip)
        picture = clip.original(int(row)).astype(np.float64) / 255
        seen[k, between] = bilinear(picture[None], pixels[between][None])[0]
    often = np.isfinite(seen[..., 0]).sum(axis=0) >= LEAST_FRAMES
    if often.sum() < LEAST:
        return None
    return Inside(grid[often], np.nanmedian(seen[:, often], axis=0), spacing)


def add_inside(head: Head, batches: Batches) -> None:
    """Append Gaussians of the inside to the still head, if the clip shows an open mouth. The
    official arrangement has none."""
    clip, rows, places = batches.clip, batches.landmark_rows, batches.landmark_points
    found = inside_of(clip, rows, places) if head.is_paper else None
    if found is None:
        return
    count = len(found.means)
    device = head.canonical["means"].device
    new = {
        "means": found.means,
        "log_scales": np.full((count, 3), np.log(found.spacing)),
        "quats": np.tile([1.0, 0, 0, 0], (count, 1)),
        "opacity_logits": np.full(count, np.log(OPACITY / (1 - OPACITY))),
        "sh_dc": ((found.colours - 0.5) / C0)[:, None],
        "sh_rest": np.zeros((count, *head.canonical["sh_rest"].shape[1:])),
    }
    with torch.no_grad():
        joined = {
            f"canonical.{name}": torch.cat(
                [head.canonical[name], torch.tensor(new[name], dtype=torch.float32, device=device)]
            )
            for name in FIELDS
        }
    head.load(joined)


def _between(polygon: Float64, pixels: Float64, clip: TrainingClip) -> NDArray[np.bool_]:
    """(K,) pixels (K, 2) inside a polygon (P, 2) of the picture."""
    from PIL import ImageDraw

    picture = pillow().new("1", (clip.width, clip.height))
    ImageDraw.Draw(picture).polygon([(x, y) for x, y in polygon.tolist()], fill=1)
    mask = np.asarray(picture, bool)
    x, y = np.floor(pixels).astype(int).T
    there = (x >= 0) & (x < clip.width) & (y >= 0) & (y < clip.height)
    out = np.zeros(len(pixels), bool)
    out[there] = mask[y[there], x[there]]
    return out


def _areas(polygons: Float64) -> Float64:
    """(R,) square pixels of polygons (R, P, 2), by the shoelace formula."""
    x, y = polygons[..., 0], polygons[..., 1]
    return np.asarray(np.abs((x * np.roll(y, -1, 1) - y * np.roll(x, -1, 1)).sum(axis=1)) / 2)


def _grid(clip: TrainingClip, rows: NDArray[np.int64], places: Float64) -> tuple[Float64, float]:
    """(K, 3) places behind the lips, SPACING apart, and that distance in decimetres."""
    from scipy.spatial import cKDTree

    mouth = places[MOUTH]
    depth = float(np.mean(clip.viewmats[rows][:, 2] @ np.append(mouth.mean(axis=0), 1)))
    spacing = SPACING * depth / clip.focal
    (x0, y0), (x1, y1) = mouth[:, :2].min(axis=0), mouth[:, :2].max(axis=0)
    open_by = (x1 - x0) / 2  # a jaw opens by half of the mouth's width at most
    x, y = np.meshgrid(np.arange(x0, x1, spacing), np.arange(y0 - open_by, y1, spacing))
    flat = np.column_stack([x.ravel(), y.ravel()])
    front = clip.points[clip.points[:, 2] > mouth[:, 2].mean() - 4 * DEPTH]
    _, near = cKDTree(front[:, :2]).query(flat, k=min(NEAREST, len(front)))
    z = front[:, 2][near].reshape(len(flat), -1).mean(axis=1) - DEPTH
    return np.column_stack([flat, z]), spacing
