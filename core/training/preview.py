"""Looking at a training: held-out frames rendered, their PSNR, a strip of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..images.pillow import encode_jpeg
from ..network.torch.network import RawTensors
from ..system.files import write_atomic
from .batches import Feed
from .head import Head, draw
from .losses import psnr
from .rasterisers.record import Splatter

SHOWN = 4  # frames of a preview
QUALITY = 90  # of its JPEG


@dataclass(frozen=True, eq=False)
class Sight:
    """psnr: mean over the frames, whole pictures, measured as the authors' figure is. strip:
    (H, W, 3) uint8, rendered frames above true ones."""

    psnr: float
    strip: NDArray[np.uint8]


def look(head: Head, feed: Feed, splat: Splatter, rows: Sequence[int]) -> Sight:
    """Render `rows`, driven by the clip's own sound, over what lies behind the head."""
    top, bottom, quality = [], [], []
    with torch.no_grad():
        x, first = head.field()
        canonical = head.raw()
        for row in rows:
            windows = feed.windows(np.array([row]))
            codes = head.network.encode_audio(windows)
            moved, _ = head.network.deform(
                canonical, x, first, codes, feed.eyes[row, None], feed.poses[row, None]
            )
            raw = RawTensors(*(value[0] for value in moved))
            drawn = draw(raw, feed.clip.camera(row), head.degree, splat)
            frame = feed.clip.frame(row)
            behind = torch.from_numpy(frame.protocol_background.astype(np.float32) / 255)
            picture = drawn.colour + (1 - drawn.alpha)[..., None] * behind.to(feed.device)
            target = torch.from_numpy(frame.original.astype(np.float32) / 255).to(feed.device)
            quality.append(psnr(picture, target))
            top.append((picture.clamp(0, 1) * 255).cpu().numpy().astype(np.uint8))
            bottom.append(frame.original)
    strip = np.concatenate([np.concatenate(top, axis=1), np.concatenate(bottom, axis=1)])
    return Sight(float(np.mean(quality)), strip)


def spread(rows: Sequence[int], count: int = SHOWN) -> list[int]:
    """`count` of the rows, evenly."""
    places = np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)
    return [int(rows[place]) for place in places]


def write_strip(path: Path, strip: NDArray[np.uint8]) -> None:
    """JPEG. OutputError where it cannot be written."""
    write_atomic(path, [encode_jpeg(strip, QUALITY)])
