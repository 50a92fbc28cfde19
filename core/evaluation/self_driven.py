"""The avatar driven by the dataset's own sound, against held-out frames.

A frame is rendered over `Frame.protocol_background` (the true picture outside the head mask grown
by a pixel, the torso image inside) and compared with the original inside the head mask and with
that background outside, as the authors do (docs/method.md §3.9). PSNR is the mean over the frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..avatar.binding import Binding
from ..dataset.load import Frame
from ..metrics.pictures import psnr, ssim
from ..records.arrays import Float32, Float64
from .jitter import Flicker
from .landmark_regression import LandmarkRegression
from .landmarks import projected, upwards
from .render import Renderer, opaque_rgb, surface_landmarks
from .sounds import Voice

OnFrame = Callable[[Frame, Float32, Float32], None]

UNIT = np.float32(1 / 255)


@dataclass(eq=False)
class SelfDriven:
    """Measurements, row by row. Landmarks (R, 68, 2) in pixels, NaN if unknown. true: of the
    dataset. surface: of the avatar's Gaussians. predicted: mouth and eyes from the rendered
    picture, by the regression; predicted_true: from the true picture, which gives its error. still:
    of the mean head. up (R, 2): the head's upward direction. closure (R,): of the eyes. scores:
    name -> one value a row."""

    rows: tuple[int, ...]
    true: Float64
    surface: Float64
    predicted: Float64
    predicted_true: Float64
    still: Float64
    up: Float64
    closure: Float64
    flicker: Flicker = field(default_factory=Flicker)
    scores: dict[str, list[float]] = field(default_factory=dict)

    def add_scores(self, **values: float) -> None:
        for name, value in values.items():
            self.scores.setdefault(name, []).append(value)


def protocol(frame: Frame) -> tuple[Float32, Float32]:
    """(background, truth), each (H, W, 3) float32 in [0, 1]."""
    background = frame.protocol_background.astype(np.float32) * UNIT
    truth = np.where(frame.head[..., None], frame.original.astype(np.float32) * UNIT, background)
    return background, truth


def render_rows(
    renderer: Renderer,
    voice: Voice,
    rows: tuple[int, ...],
    binding: Binding | None,
    regression: LandmarkRegression | None,
    on_frame: OnFrame | None = None,
) -> Iterator[SelfDriven]:
    """Render and measure row by row; yields the same record after each, filled so far. on_frame
    receives every frame, its picture and the truth."""
    clip = renderer.clip
    shape = (len(rows), clip.landmarks.shape[1], 2)
    driven = SelfDriven(
        rows=rows,
        true=clip.landmarks[list(rows)].astype(np.float64),
        surface=np.full(shape, np.nan),
        predicted=np.full(shape, np.nan),
        predicted_true=np.full(shape, np.nan),
        still=np.full(shape, np.nan),
        up=np.array([upwards(clip.viewmats[row]) for row in rows]),
        closure=clip.eyes[list(rows)].astype(np.float64),
    )
    for index, row in enumerate(rows):
        frame = clip.frame(row)
        background, truth = protocol(frame)
        image, splats = renderer.render(voice.track, voice.seconds(row), row, background)
        picture = opaque_rgb(image)
        driven.add_scores(
            psnr=psnr(picture, truth),
            psnr_head=psnr(picture, truth, frame.head),
            ssim=ssim(picture, truth),
            ssim_head=ssim(picture, truth, frame.head),
            l1=float(np.abs(picture - truth).mean()),
            psnr_lips=psnr(picture, truth, _box_mask(frame)),
        )
        driven.flicker.add(row, picture, truth, frame.head)
        camera = clip.camera(row)
        if binding is not None:
            driven.surface[index] = surface_landmarks(binding, splats, camera)
            driven.still[index] = projected(binding.mean, camera)
        if regression is not None:
            driven.predicted[index] = regression.predict(picture, camera)
            driven.predicted_true[index] = regression.predict(truth, camera)
        if on_frame is not None:
            on_frame(frame, picture, truth)
        yield driven


def _box_mask(frame: Frame) -> NDArray[np.bool_]:
    mask = np.zeros(frame.head.shape, bool)
    if frame.lips is not None:
        y0, y1, x0, x1 = frame.lips
        mask[y0:y1, x0:x1] = True
    return mask & frame.head
