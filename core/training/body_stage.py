"""The last stage: the body, on whole frames, behind the trained head, which no longer changes."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..dataset.cache import ByteCache
from ..dataset.clip import TrainingClip
from ..dataset.masks import REST, USUAL, parts_of
from ..images.pillow import resized
from ..network.torch.network import FirstAttention, RawTensors
from ..records.camera import Camera
from .batches import Batches
from .body import BodyPlan, TrainableBody, motion_tensors
from .head import Head, draw
from .losses import picture_loss, psnr
from .optimiser import Optimiser
from .rasterisers.record import Splatter
from .schedule import BODY

# Learning rates; decimetres for the means.
RATES = {
    "body.means": 2e-4,
    "body.log_scales": 5e-3,
    "body.quats": 2e-3,
    "body.opacity_logits": 2e-2,
    "body.colours": 1e-2,
    "body.weights": 2e-3,
}
DEPTH, SIZE = 0.01, 0.02  # weights of TrainableBody.away and .large
CACHE_BYTES = 2**29
MARGIN = 8  # pixels above the body


Field = tuple[Tensor, FirstAttention | None]  # of Head.field


class WholeFrame(NamedTuple):
    """camera: of the rows that show the body. target, background (h, w, 3), person (h, w): float32
    in 0..1; the background is the frame's own, without a torso."""

    camera: Camera
    target: Tensor
    background: Tensor
    person: Tensor


class WholeFrames:
    """Frames at the training's scale, from the top of the body to the bottom."""

    def __init__(self, clip: TrainingClip, top: int, scale: float, device: str) -> None:
        self._clip, self._scale, self._device = clip, scale, device
        self._top = max(0, int((top - MARGIN) * scale))
        self._cache: ByteCache[list[NDArray[np.uint8]]] = ByteCache(
            CACHE_BYTES, lambda images: sum(image.nbytes for image in images)
        )

    def frame(self, row: int) -> WholeFrame:
        camera, top = self._clip.camera(row), self._top
        if self._scale != 1.0:
            width, height = (round(s * self._scale) for s in (camera.width, camera.height))
            camera = camera.resized(width, height)
        camera = replace(camera, cy=camera.cy - top, height=camera.height - top)
        target, background, person = (
            torch.from_numpy(image[top:]).to(self._device).float() / 255
            for image in self._cache.get(row, self._decode)
        )
        return WholeFrame(camera, target, background, person)

    def _decode(self, row: int) -> list[NDArray[np.uint8]]:
        clip = self._clip
        person = parts_of(clip.parsing(row)) != USUAL.index(REST)
        images = [
            clip.original(row),
            clip.bare_background(row),
            (person * 255).astype(np.uint8),
        ]
        if self._scale == 1.0:
            return images
        size = round(clip.width * self._scale), round(clip.height * self._scale)
        return [resized(image, *size, "BOX") for image in images]


class BodyStage:
    """One frame a step."""

    name, final = BODY, 0.05

    def __init__(self, batches: Batches, head: Head, splat: Splatter, plan: BodyPlan) -> None:
        self.batches, self.head, self.splat, self.plan = batches, head, splat, plan
        self.steps = batches.config.body_steps
        self.frames = WholeFrames(batches.clip, plan.top, batches.config.scale, batches.device)
        self.optimiser = Optimiser(head, RATES, {})
        with torch.no_grad():
            self._field = head.field()

    @property
    def body(self) -> TrainableBody:
        assert self.head.body is not None
        return self.head.body

    def loss(self, step: int, progress: float) -> tuple[Tensor, float | None]:
        batches, weights = self.batches, self.batches.config.losses
        row = int(batches.sample_rows(self.name, step, 1)[0])
        frame = self.frames.frame(row)
        motion = motion_tensors(self.plan.motion(batches.clip, row), batches.device)
        raw = behind(head_at(self.head, batches, row, self._field), self.body.raw(motion))
        drawn = draw(raw, frame.camera, self.head.degree, self.splat)
        picture = drawn.colour + (1 - drawn.alpha)[..., None] * frame.background
        loss = picture_loss(picture, frame.target, drawn.alpha, frame.person, None, weights)
        loss = loss + DEPTH * self.body.away() + SIZE * self.body.large()
        return loss, psnr(picture.detach(), frame.target)

    def after(self, step: int, progress: float) -> None:
        pass


def head_at(head: Head, batches: Batches, row: int, field: Field) -> RawTensors:
    """The head's raw values at a frame of the clip, without gradients."""
    x, first = field
    with torch.no_grad():
        codes = head.network.encode_audio(batches.windows(np.array([row])))
        moved, _ = head.network.deform(
            head.raw(), x, first, codes, batches.eyes[row, None], batches.poses[row, None]
        )
    return RawTensors(*(value[0] for value in moved))


def behind(head: RawTensors, body: RawTensors) -> RawTensors:
    """One cloud: the head's rows, then the body's."""
    return RawTensors(*(torch.cat(pair) for pair in zip(head, body, strict=True)))
