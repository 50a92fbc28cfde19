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
from ..dataset.matte import margin_of, outline
from ..images.pillow import resized
from ..network.torch.network import RawTensors
from ..records.camera import Camera
from .batches import Batches, exchanged
from .body import BodyPlan, TrainableBody, motion_tensors
from .body_hidden import missing_depth
from .head import Head, draw, head_at
from .losses import picture_loss, psnr
from .optimiser import Optimiser
from .preview import evenly_spaced
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
HIDING_FRAMES = 8  # in which the head must be before what no frame shows
FARTHEST = 0.3  # decimetres that it may move for that; beyond, it is inside the head


class WholeFrame(NamedTuple):
    """camera: of the rows that show the body. target, background (h, w, 3), person (h, w), the
    person's share of each pixel: float32 in 0..1; the background is the frame's own, without a
    torso."""

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
        original, background = clip.original(row), clip.bare_background(row)
        share = outline(original, background, person, margin_of(clip.width)).alpha
        images = [original, background, (share * 255).round().astype(np.uint8)]
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
            self._hide()

    @property
    def body(self) -> TrainableBody:
        assert self.head.body is not None
        return self.head.body

    def _hide(self) -> None:
        """Move what no frame shows behind the trained head. The same for the same head."""
        trained = len(self.body.means)
        farthest = torch.zeros(len(self.body.unseen_means), device=self.batches.device)
        for row in evenly_spaced(self.batches.rows.tolist(), HIDING_FRAMES):
            head, body = self._parts(row)
            hidden = RawTensors(*(value[trained:] for value in body))
            needed = missing_depth(head, hidden, self.frames.frame(row).camera, self.splat)
            farthest = torch.maximum(farthest, needed)
        still = self.plan.rest
        self.body.move_unseen(-still[:3, :3].T @ still[:3, 3], still[2, :3], farthest, FARTHEST)

    def _parts(self, row: int) -> tuple[RawTensors, RawTensors]:
        """Head and body at a frame of the clip, in the head's frame."""
        batches, at = self.batches, np.array([row])
        motion = motion_tensors(self.plan.motion(batches.clip, row), batches.device)
        windows = batches.windows(at)
        head = head_at(self.head, self._field, windows, batches.eyes[at], batches.poses[at])
        return head, self.body.raw(motion)

    def loss(self, step: int, progress: float) -> tuple[Tensor, float | None]:
        batches, weights = self.batches, self.batches.config.losses
        row = int(batches.sample_rows(self.name, step, 1)[0])
        frame = self.frames.frame(row)
        raw = behind(*self._parts(row))
        drawn = draw(raw, frame.camera, self.head.degree, self.splat)
        colour = batches.wrong_colour(row, self.name, step)
        target, background = exchanged(frame.target, frame.background, frame.person, colour)
        picture = drawn.colour + (1 - drawn.alpha)[..., None] * background
        loss = picture_loss(picture, target, drawn.alpha, frame.person, None, weights)
        loss = loss + DEPTH * self.body.away() + SIZE * self.body.large()
        return loss, psnr(picture.detach(), target)

    def after(self, step: int, progress: float) -> None:
        pass


def behind(head: RawTensors, body: RawTensors) -> RawTensors:
    """One cloud: the head's rows, then the body's."""
    return RawTensors(*(torch.cat(pair) for pair in zip(head, body, strict=True)))
