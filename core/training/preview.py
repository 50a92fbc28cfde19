"""Previews of a training: rendered held-out frames, their PSNR, and one strip of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..images.pillow import encode_jpeg
from ..system.files import write_atomic
from .batches import Batches
from .head import Head, draw, head_at
from .losses import psnr
from .rasterisers.record import Splatter

FRAMES = 4  # of a preview while training
QUALITY = 90  # of its JPEG


@dataclass(frozen=True, eq=False)
class Preview:
    """psnr: dB, mean over the frames, of whole pictures as the authors measure it. strip:
    (H, W, 3) uint8, rendered frames above the true ones."""

    psnr: float
    strip: NDArray[np.uint8]


def render_preview(head: Head, batches: Batches, splat: Splatter, rows: Sequence[int]) -> Preview:
    """Render `rows`, driven by the clip's own sound, over the frames' own backgrounds."""
    rendered, true, quality = [], [], []
    with torch.no_grad():
        field = head.field()
        for row in rows:
            at = np.array([row])
            raw = head_at(head, field, batches.windows(at), batches.eyes[at], batches.poses[at])
            drawn = draw(raw, batches.clip.camera(row), head.degree, splat)
            frame = batches.clip.frame(row)
            background = torch.from_numpy(frame.protocol_background.astype(np.float32) / 255)
            picture = drawn.colour + (1 - drawn.alpha)[..., None] * background.to(batches.device)
            target = torch.from_numpy(frame.original.astype(np.float32) / 255).to(batches.device)
            quality.append(psnr(picture, target))
            rendered.append((picture.clamp(0, 1) * 255).cpu().numpy().astype(np.uint8))
            true.append(frame.original)
    strip = np.concatenate([np.concatenate(rendered, axis=1), np.concatenate(true, axis=1)])
    return Preview(float(np.mean(quality)), strip)


def evenly_spaced(rows: Sequence[int], count: int = FRAMES) -> list[int]:
    """At most `count` of the rows, from the first to the last."""
    places = np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)
    return [int(rows[place]) for place in places]


def write_strip(path: Path, strip: NDArray[np.uint8]) -> None:
    """JPEG. Raises OutputError if it cannot be written."""
    write_atomic(path, [encode_jpeg(strip, QUALITY)])
