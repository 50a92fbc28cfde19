"""Training samples: frames cropped to the head, audio windows, head poses, eyes, landmarks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..dataset.cache import ByteCache
from ..dataset.clip import Box, Frame, TrainingClip
from ..dataset.landmarks import triangulate
from ..dataset.matte import margin_of, outline
from ..images.pillow import resized
from ..records.arrays import Float32, Float64
from ..records.audio_track import AudioTrack
from ..records.camera import Camera, pose_vector
from .config import TrainConfig

CACHE_BYTES = 2**30  # of cropped frames in memory; the others are decoded again
BOX_FRAMES = 60  # whose masks determine the box around the head
BLINK = 0.1  # eye closure above which a frame is sampled more often
BLINK_WEIGHT = 3.0
MOUTH_NOISE = 0.1  # standard deviations of the numbers in the film
QUIET = 0.08  # share of the loudest window's distance from silence, below which a row is silent


@dataclass(frozen=True, eq=False)
class HeadCrop:
    """One frame, cropped to the head: the camera of the crop, target and background (h, w, 3) and
    the head's share of each pixel (h, w), float32 in 0..1; the lips' box in the crop, or None."""

    row: int
    camera: Camera
    target: Tensor
    background: Tensor
    head: Tensor
    lips: Box | None


@dataclass(frozen=True, eq=False)
class _CachedCrop:
    """The images of a HeadCrop as uint8."""

    target: NDArray[np.uint8]
    background: NDArray[np.uint8]
    head: NDArray[np.uint8]
    lips: Box | None


class Batches:
    """All training samples of a clip. Rows are the training's own unless a comment says otherwise.
    Random draws depend on (seed, stage, step) alone, so that a resumed training draws the same.

    landmark_points (68, 3): the landmarks' mean places in the head's frame, decimetres; None if the
    clip cannot give them. landmark_rows: rows with landmarks. quiet (F,): rows of silence.
    silence (8, D, W): the window of digital silence, or None if the track does not have it.
    mouth: the track holds numbers of the mouth's shape (mouth.py), not features of a sound."""

    def __init__(
        self,
        clip: TrainingClip,
        track: AudioTrack,
        config: TrainConfig,
        rows: tuple[int, ...],
        device: str,
        mouth: bool = False,
    ) -> None:
        self.clip, self.config, self.device, self.mouth = clip, config, device, mouth
        self.rows = np.array(rows)
        self.box = _box(clip, rows, config.scale)
        self._crops: ByteCache[_CachedCrop] = ByteCache(
            CACHE_BYTES, lambda crop: crop.head.nbytes + 2 * crop.target.nbytes
        )
        self._background: NDArray[np.uint8] | None = None
        self.track = track
        self.poses = torch.tensor(np.stack([pose_vector(v) for v in clip.viewmats]), device=device)
        self.eyes = torch.tensor(clip.eyes, dtype=torch.float64, device=device)
        self.viewmats = torch.tensor(clip.viewmats, dtype=torch.float32, device=device)
        self.landmark_points = self._landmark_points()
        self.landmarks = torch.tensor(np.nan_to_num(clip.landmarks), device=device)
        known = np.asarray(np.isfinite(clip.landmarks).all(axis=(1, 2)))
        self.landmark_rows = self.rows[known[self.rows]]
        self._chances = _chances(clip.eyes[self.rows])
        self._landmark_chances = _chances(clip.eyes[self.landmark_rows])
        self.quiet = _quiet_rows(track, len(clip))
        self.silence = None
        if track.outside is not None:
            outside = np.repeat(track.outside.T[None], 8, axis=0)
            self.silence = torch.tensor(outside, device=device)

    def _landmark_points(self) -> Float64 | None:
        clip = self.clip
        middle = (clip.width / 2, clip.height / 2)
        return triangulate(clip.landmarks[self.rows], clip.viewmats[self.rows], clip.focal, middle)

    @property
    def audio_dim(self) -> int:
        return int(self.track.windows.shape[2])

    def sample_rows(
        self, stage: str, step: int, count: int, *, with_landmarks: bool = False
    ) -> NDArray[np.int64]:
        """(count,) rows of a batch. Frames with closing eyes are three times as likely, because
        blinks are short."""
        rng = generator(self.config.seed, stage, step)
        rows, chances = self.rows, self._chances
        if with_landmarks:
            rows, chances = self.landmark_rows, self._landmark_chances
        return rng.choice(rows, count, p=chances)

    def windows(self, rows: NDArray[np.int64]) -> Tensor:
        """Audio windows (B, 8, D, W) of these rows."""
        stacked = np.stack([self.track.around(int(row)) for row in rows])
        return torch.from_numpy(stacked).to(self.device)

    def augmented_windows(self, rows: NDArray[np.int64], stage: str, step: int) -> Tensor:
        """`windows`, augmented so that the network learns speech and not this recording: random
        level, noise, bands set to zero. Half of the quiet rows become digital silence. Numbers of
        the mouth get a little noise."""
        rng = generator(self.config.seed, stage + " sound", step)
        windows = self.windows(rows)
        if self.mouth:
            noise = rng.normal(0, MOUTH_NOISE, windows.shape).astype(np.float32)
            return windows + torch.from_numpy(noise).to(self.device)
        batch, _, dim, _ = windows.shape
        noise = rng.normal(0, 0.2, windows.shape)
        noise += rng.normal(0, 0.2, (batch, 1, 1, 1))
        windows = windows + torch.from_numpy(noise.astype(np.float32)).to(self.device)
        dropped = torch.from_numpy(rng.random((batch, 1, dim, 1)) < 0.05).to(self.device)
        windows = windows.masked_fill(dropped, 0.0)
        if self.silence is not None:
            silent = self.quiet[rows] & (rng.random(batch) < 0.5)
            windows[torch.from_numpy(silent).to(self.device)] = self.silence
        return windows

    def landmark_poses(self, rows: NDArray[np.int64], step: int) -> Tensor:
        """(B, 12) head poses that the network receives with the landmarks of these rows. With
        numbers of the mouth they are those of other rows: a few film seconds show each pose with
        few shapes, and a mouth that follows the pose would move in silence."""
        if self.mouth:
            rows = generator(self.config.seed, "pose", step).choice(self.rows, len(rows))
        return self.poses[torch.from_numpy(rows).to(self.device)]

    def crop(self, row: int) -> HeadCrop:
        y0, y1, x0, x1 = self.box
        camera, scale = self.clip.camera(row), self.config.scale
        if scale != 1.0:
            width, height = round(camera.width * scale), round(camera.height * scale)
            camera = camera.resized(width, height)
        cached = self._crops.get(row, self._decode_crop)
        target, background, head = (
            torch.from_numpy(image).to(self.device).float() / 255
            for image in (cached.target, cached.background, cached.head)
        )
        camera = replace(
            camera, cx=camera.cx - x0, cy=camera.cy - y0, width=x1 - x0, height=y1 - y0
        )
        return HeadCrop(row, camera, target, background, head, cached.lips)

    def on_wrong_background(self, crop: HeadCrop, stage: str, step: int) -> HeadCrop:
        """The crop as it would look before one random colour. A head that is transparent where it
        must not be, or has the film's background in its outline, shows it here; before the true
        background both would pass unnoticed, until something else stands behind."""
        if not self.config.losses.mask:
            return crop
        target, background = exchanged(
            crop.target, crop.background, crop.head, self.wrong_colour(crop.row, stage, step)
        )
        return replace(crop, target=target, background=background)

    def wrong_colour(self, row: int, stage: str, step: int) -> Tensor:
        """(3,) a random colour in 0..1."""
        rng = generator(self.config.seed, f"{stage} behind {row}", step)
        return torch.from_numpy(rng.random(3, np.float32)).to(self.device)

    def _decode_crop(self, row: int) -> _CachedCrop:
        """Decode a frame and keep the part inside the box, about a tenth of its bytes."""
        frame = self.clip.decode(row)
        y0, y1, x0, x1 = self.box
        share = self._share(frame)
        head = (share[..., None] * 255).round().astype(np.uint8)
        images = [frame.image, frame.background, head]
        if (scale := self.config.scale) != 1.0:
            size = (round(self.clip.width * scale), round(self.clip.height * scale))
            images = [_resized(image, *size) for image in images]
        target, background, head = (np.array(image[y0:y1, x0:x1]) for image in images)
        if self._background is not None and np.array_equal(self._background, background):
            background = self._background  # most datasets have one torso for all frames
        else:
            self._background = background
        return _CachedCrop(target, background, head[..., 0], self._lips(frame.lips))

    def _share(self, frame: Frame) -> Float32:
        """(H, W) the head's share of each pixel, soft in the outline."""
        share = frame.head.astype(np.float32)
        if self.config.losses.mask:
            y0, y1, x0, x1 = self.box if self.config.scale == 1 else (None,) * 4
            box = np.s_[y0:y1, x0:x1]
            pictures = (frame.original[box], frame.background[box], frame.head[box])
            share[box] = outline(*pictures, margin_of(self.clip.width)).alpha
        return share

    def _lips(self, lips: Box | None) -> Box | None:
        if lips is None:
            return None
        y0, y1, x0, x1 = self.box
        top, bottom, left, right = (round(side * self.config.scale) for side in lips)
        box = (max(top - y0, 0), min(bottom, y1) - y0, max(left - x0, 0), min(right, x1) - x0)
        return box if box[1] > box[0] and box[3] > box[2] else None


def exchanged(
    target: Tensor, background: Tensor, share: Tensor, colour: Tensor
) -> tuple[Tensor, Tensor]:
    """The target (h, w, 3) with one colour (3,) in place of the background (h, w, 3), and that
    background. share (h, w): of what stands before it, which does not change."""
    change = (1 - share)[..., None] * (colour - background)
    return target + change, colour.expand_as(background)


def generator(seed: int, stage: str, step: int) -> np.random.Generator:
    """The random numbers of one step, the same whether the training was resumed or not."""
    return np.random.default_rng([seed, step, *stage.encode()])


def _resized(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    flat = picture[..., 0] if picture.shape[2] == 1 else picture
    return resized(flat, width, height, "BOX").reshape(height, width, -1)


def _box(clip: TrainingClip, rows: tuple[int, ...], scale: float) -> Box:
    """The box that contains the head in every frame, in pixels at the training's scale."""
    some = rows[:: max(1, len(rows) // BOX_FRAMES)]
    y0, y1, x0, x1 = clip.head_box(some)
    return (
        int(y0 * scale),
        min(int(np.ceil(y1 * scale)), round(clip.height * scale)),
        int(x0 * scale),
        min(int(np.ceil(x1 * scale)), round(clip.width * scale)),
    )


def _chances(eyes: Float64) -> Float64:
    weights = np.where(eyes > BLINK, BLINK_WEIGHT, 1.0)
    return weights / max(weights.sum(), 1e-9)


def _quiet_rows(track: AudioTrack, count: int) -> NDArray[np.bool_]:
    """(F,) rows whose window is nearly that of silence; none if the track has no silence."""
    if track.outside is None:
        return np.zeros(count, bool)
    far = np.abs(track.windows - track.outside).mean(axis=(1, 2))
    quiet = far < QUIET * far.max()
    inside = quiet[track.margin : len(quiet) - track.margin]
    out = np.zeros(count, bool)
    out[: min(count, len(inside))] = inside[:count]
    return out
