"""Render an avatar at the moments of a dataset's frames, locate its landmarks and measure the
time."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from ..avatar.binding import Binding, bind
from ..bake.backends import Backend
from ..dataset.landmarks import triangulate_each
from ..dataset.load import TrainingClip
from ..images.image import Image
from ..network.deformer import Deformer, splats_at
from ..records.arrays import Float32, Float64
from ..records.audio_track import AudioTrack
from ..records.avatar import Avatar
from ..records.camera import Camera, pose_vector
from ..records.gaussians import Splats
from ..records.moment import Moment
from .landmarks import projected, upwards
from .lips import lip_gap
from .sounds import Voice

SAMPLE = 24  # training rows that are averaged into the mean speaking head


@dataclass(eq=False)
class Renderer:
    """An avatar prepared by a backend. seconds: of every picture so far, deformation and
    rasterisation."""

    avatar: Avatar
    backend: Backend
    clip: TrainingClip
    deformer: Deformer
    seconds: list[float] = field(default_factory=list)

    def splats(self, track: AudioTrack, seconds: float, row: int) -> Splats:
        """The head driven by `track` at `seconds`, with the pose and the eyes of frame `row`."""
        pose = pose_vector(self.clip.viewmats[row].astype(np.float32))
        return splats_at(self.deformer, track, Moment(seconds, float(self.clip.eyes[row]), pose))

    def render(
        self, track: AudioTrack, seconds: float, row: int, background: Float32 | None
    ) -> tuple[Image, Splats]:
        """Render frame `row` with the dataset's camera; adds to `seconds`."""
        start = time.perf_counter()
        splats = self.splats(track, seconds, row)
        image = self.backend.rasterise(splats, self.clip.camera(row), background)
        self.seconds.append(time.perf_counter() - start)
        return image, splats


def renderer_for(avatar: Avatar, backend: Backend, clip: TrainingClip) -> Renderer:
    return Renderer(avatar, backend, clip, backend.prepare(avatar))


def bind_landmarks(renderer: Renderer, voice: Voice) -> Binding | None:
    """Bind the 68 landmarks to Gaussians of the mean speaking head of the training rows. None if
    the dataset has no landmarks."""
    clip = renderer.clip
    rows = list(clip.train_rows)
    if not np.isfinite(clip.landmarks[rows]).any():
        return None
    middle = (clip.width / 2, clip.height / 2)
    places = triangulate_each(clip.landmarks[rows], clip.viewmats[rows], clip.focal, middle)
    means = np.zeros(renderer.avatar.gaussians.means.shape)
    opacities = np.zeros(len(means))
    sample = rows[:: max(1, len(rows) // SAMPLE)]
    for row in sample:
        splats = renderer.splats(voice.track, voice.seconds(row), row)
        means += splats.means
        opacities += splats.opacities
    return bind(places, means / len(sample), opacities / len(sample))


def surface_landmarks(binding: Binding, splats: Splats, camera: Camera) -> Float64:
    """(68, 2) pixels, by their Gaussians."""
    return projected(binding.places(splats.means), camera)


def surface_gap(binding: Binding, splats: Splats, camera: Camera) -> float:
    """The lip gap of the surface, pixels (see lips.lip_gap)."""
    return frame_lip_gap(surface_landmarks(binding, splats, camera), camera)


def frame_lip_gap(landmarks: Float64, camera: Camera) -> float:
    """The lip gap of one frame's landmarks (68, 2), pixels."""
    return float(lip_gap(landmarks[None], upwards(camera.viewmat)[None])[0])


def opaque_rgb(image: Image) -> Float32:
    """(H, W, 3) colours of an opaque picture, clipped to [0, 1]."""
    return np.asarray(np.clip(image[..., :3], 0, 1), np.float32)
