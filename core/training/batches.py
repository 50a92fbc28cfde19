"""What a training step sees: frames cut to the head, sound windows, poses, eyes, landmarks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..dataset.cache import ByteCache
from ..dataset.clip import Box, TrainingClip
from ..dataset.landmarks import triangulate
from ..images.pillow import resized
from ..records.audio_track import AudioTrack
from ..records.camera import Camera, pose_vector
from .config import TrainConfig

CACHE_BYTES = 2**30  # frames kept in memory, cut; the others are decoded again
BOX_FRAMES = 60  # whose masks tell where the head can be
BLINK = 0.1  # closure above which a frame is drawn more often
BLINK_WEIGHT = 3.0
QUIET = 0.08  # of the loudest step's level, below which a row is silent


@dataclass(frozen=True, eq=False)
class Shot:
    """One frame, cut to the head: camera of the cut, target and background (h, w, 3), head mask
    (h, w), lips in the cut or None."""

    row: int
    camera: Camera
    target: Tensor
    background: Tensor
    head: Tensor
    lips: Box | None


@dataclass(frozen=True, eq=False)
class _Cut:
    """As a Shot, uint8."""

    target: NDArray[np.uint8]
    background: NDArray[np.uint8]
    head: NDArray[np.uint8]
    lips: Box | None


class Feed:
    """Everything of a clip that the stages read. Rows: the training's own, unless said otherwise.
    Draws depend on (seed, stage, step) alone, so that a resumed training goes on with the same."""

    def __init__(
        self,
        clip: TrainingClip,
        track: AudioTrack,
        config: TrainConfig,
        rows: tuple[int, ...],
        device: str,
    ) -> None:
        self.clip, self.config, self.device = clip, config, device
        self.rows = np.array(rows)
        self.box = _box(clip, rows, config.scale)
        self._cuts: ByteCache[_Cut] = ByteCache(
            CACHE_BYTES, lambda cut: 3 * cut.head.nbytes + cut.target.nbytes
        )
        self._plate: NDArray[np.uint8] | None = None
        self.track = track
        self.poses = torch.tensor(np.stack([pose_vector(v) for v in clip.viewmats]), device=device)
        self.eyes = torch.tensor(clip.eyes, dtype=torch.float64, device=device)
        self.viewmats = torch.tensor(clip.viewmats, dtype=torch.float32, device=device)
        self.anchors = self._anchors()
        self.landmarks = torch.tensor(np.nan_to_num(clip.landmarks), device=device)
        seen = np.asarray(np.isfinite(clip.landmarks).all(axis=(1, 2)))
        self.marked = self.rows[seen[self.rows]]
        self._chance = _chances(clip.eyes[self.rows])
        self._marked_chance = _chances(clip.eyes[self.marked])
        self.quiet = _quiet_rows(track, len(clip))
        self.silence = None
        if track.outside is not None:
            outside = np.repeat(track.outside.T[None], 8, axis=0)
            self.silence = torch.tensor(outside, device=device)

    def _anchors(self) -> NDArray[np.float64] | None:
        clip = self.clip
        middle = (clip.width / 2, clip.height / 2)
        return triangulate(clip.landmarks[self.rows], clip.viewmats[self.rows], clip.focal, middle)

    @property
    def audio_dim(self) -> int:
        return int(self.track.windows.shape[2])

    def draw(self, stage: str, step: int, count: int, *, marked: bool = False) -> NDArray[np.int64]:
        """Row numbers of a batch; frames with closing eyes come more often than they last."""
        rng = generator(self.config.seed, stage, step)
        rows, chance = (self.marked, self._marked_chance) if marked else (self.rows, self._chance)
        return rng.choice(rows, count, p=chance)

    def windows(self, rows: NDArray[np.int64]) -> Tensor:
        """(B, 8, D, W)."""
        stacked = np.stack([self.track.around(int(row)) for row in rows])
        return torch.from_numpy(stacked).to(self.device)

    def heard(self, rows: NDArray[np.int64], stage: str, step: int) -> Tensor:
        """`windows`, made a little worse each time, so that the network learns speech and not the
        clip: louder and softer, noise, bands left out; and quiet rows hear true silence."""
        rng = generator(self.config.seed, stage + " sound", step)
        windows = self.windows(rows)
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

    def shot(self, row: int) -> Shot:
        y0, y1, x0, x1 = self.box
        camera, scale = self.clip.camera(row), self.config.scale
        if scale != 1.0:
            width, height = round(camera.width * scale), round(camera.height * scale)
            camera = camera.resized(width, height)
        cutting = self._cuts.get(row, self._cut)
        target, background, head = (
            torch.from_numpy(picture).to(self.device).float() / 255
            for picture in (cutting.target, cutting.background, cutting.head)
        )
        cut = replace(camera, cx=camera.cx - x0, cy=camera.cy - y0, width=x1 - x0, height=y1 - y0)
        return Shot(row, cut, target, background, head, cutting.lips)

    def _cut(self, row: int) -> _Cut:
        """Decode a frame and keep what of it is looked at, a tenth of its bytes."""
        frame = self.clip.decode(row)
        y0, y1, x0, x1 = self.box
        pictures = [frame.image, frame.background, frame.head[..., None].astype(np.uint8) * 255]
        if (scale := self.config.scale) != 1.0:
            size = (round(self.clip.width * scale), round(self.clip.height * scale))
            pictures = [_resized(picture, *size) for picture in pictures]
        target, background, head = (np.array(picture[y0:y1, x0:x1]) for picture in pictures)
        if self._plate is not None and np.array_equal(self._plate, background):
            background = self._plate  # most datasets have one torso for all frames
        else:
            self._plate = background
        return _Cut(target, background, head[..., 0], self._lips(frame.lips))

    def _lips(self, lips: Box | None) -> Box | None:
        if lips is None:
            return None
        y0, y1, x0, x1 = self.box
        top, bottom, left, right = (round(side * self.config.scale) for side in lips)
        box = (max(top - y0, 0), min(bottom, y1) - y0, max(left - x0, 0), min(right, x1) - x0)
        return box if box[1] > box[0] and box[3] > box[2] else None


def generator(seed: int, stage: str, step: int) -> np.random.Generator:
    return np.random.default_rng([seed, step, *stage.encode()])


def _resized(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    flat = picture[..., 0] if picture.shape[2] == 1 else picture
    return resized(flat, width, height, "BOX").reshape(height, width, -1)


def _box(clip: TrainingClip, rows: tuple[int, ...], scale: float) -> Box:
    """Where the head can be, in the pixels of the training."""
    some = rows[:: max(1, len(rows) // BOX_FRAMES)]
    y0, y1, x0, x1 = clip.head_box(some)
    return (
        int(y0 * scale),
        min(int(np.ceil(y1 * scale)), round(clip.height * scale)),
        int(x0 * scale),
        min(int(np.ceil(x1 * scale)), round(clip.width * scale)),
    )


def _chances(eyes: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.where(eyes > BLINK, BLINK_WEIGHT, 1.0)
    return weights / max(weights.sum(), 1e-9)


def _quiet_rows(track: AudioTrack, count: int) -> NDArray[np.bool_]:
    """(F,) rows around which the sound is as silence. Only where the track knows silence."""
    if track.outside is None:
        return np.zeros(count, bool)
    far = np.abs(track.windows - track.outside).mean(axis=(1, 2))
    quiet = far < QUIET * far.max()
    inside = quiet[track.margin : len(quiet) - track.margin]
    out = np.zeros(count, bool)
    out[: min(count, len(inside))] = inside[:count]
    return out
