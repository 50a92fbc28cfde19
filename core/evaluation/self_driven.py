"""The avatar against the frames that its training never saw, driven by their own sound.

A frame is drawn over `Frame.protocol_background` (the true picture around the head mask grown by a
pixel, torso plate inside) and compared with the original inside the head mask and that same
background outside: so are the authors' frames (docs/method.md §3.9). PSNR is the mean of the
frames' decibels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..dataset.load import Frame
from ..metrics.pictures import psnr, ssim
from .jitter import Flicker
from .landmark_regression import Reader
from .landmarks import Binding, projected, upwards
from .render import Driver, seen_landmarks, unit
from .sounds import Heard

Float64 = NDArray[np.float64]
Look = Callable[[Frame, NDArray[np.float32], NDArray[np.float32]], None]

UNIT = np.float32(1 / 255)


@dataclass(eq=False)
class Seen:
    """What was measured row by row. Landmarks (R, 68, 2) in pixels, NaN where they are not known:
    true, the dataset's; surface, of the avatar's Gaussians; read, off the rendered picture (mouth
    and eyes); read_true, off the true picture, which says how well the reader reads; still, where
    the mean head's would be. up (R, 2): the head's upward direction. scores: name -> one value a
    row."""

    rows: tuple[int, ...]
    true: Float64
    surface: Float64
    read: Float64
    read_true: Float64
    still: Float64
    up: Float64
    flicker: Flicker = field(default_factory=Flicker)
    scores: dict[str, list[float]] = field(default_factory=dict)

    def note(self, **values: float) -> None:
        for name, value in values.items():
            self.scores.setdefault(name, []).append(value)


def protocol(frame: Frame) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(background, truth), each (H, W, 3) float32 in [0, 1]."""
    background = frame.protocol_background.astype(np.float32) * UNIT
    truth = np.where(frame.head[..., None], frame.original.astype(np.float32) * UNIT, background)
    return background, truth


def watch(
    driver: Driver,
    heard: Heard,
    rows: tuple[int, ...],
    binding: Binding | None,
    reader: Reader | None,
    look: Look | None = None,
) -> Iterator[Seen]:
    """Render and measure row by row; the same record is yielded after each, filled so far. look:
    called with every frame, its picture and the truth."""
    clip = driver.clip
    shape = (len(rows), clip.landmarks.shape[1], 2)
    seen = Seen(
        rows=rows,
        true=clip.landmarks[list(rows)].astype(np.float64),
        surface=np.full(shape, np.nan),
        read=np.full(shape, np.nan),
        read_true=np.full(shape, np.nan),
        still=np.full(shape, np.nan),
        up=np.array([upwards(clip.viewmats[row]) for row in rows]),
    )
    for index, row in enumerate(rows):
        frame = clip.frame(row)
        background, truth = protocol(frame)
        image, splats = driver.picture(heard.track, heard.seconds(row), row, background)
        picture = unit(image)
        seen.note(
            psnr=psnr(picture, truth),
            psnr_head=psnr(picture, truth, frame.head),
            ssim=ssim(picture, truth),
            ssim_head=ssim(picture, truth, frame.head),
            l1=float(np.abs(picture - truth).mean()),
            psnr_lips=psnr(picture, truth, _box_mask(frame)),
        )
        seen.flicker.add(row, picture, truth, frame.head)
        camera = clip.camera(row)
        if binding is not None:
            seen.surface[index] = seen_landmarks(binding, splats, camera)
            seen.still[index] = projected(binding.mean, camera)
        if reader is not None:
            seen.read[index] = reader.read(picture, camera)
            seen.read_true[index] = reader.read(truth, camera)
        if look is not None:
            look(frame, picture, truth)
        yield seen


def _box_mask(frame: Frame) -> NDArray[np.bool_]:
    mask = np.zeros(frame.head.shape, bool)
    if frame.lips is not None:
        y0, y1, x0, x1 = frame.lips
        mask[y0:y1, x0:x1] = True
    return mask & frame.head
