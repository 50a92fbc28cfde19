"""An avatar at the moments of a dataset's frames: its splats, its landmarks, how long it took."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..bake.backends import Backend
from ..dataset.landmarks import triangulate_each
from ..dataset.load import TrainingClip
from ..images.image import Image
from ..network.deformer import Deformer, splats_at
from ..records.audio_track import AudioTrack
from ..records.avatar import Avatar
from ..records.camera import Camera, pose_vector
from ..records.gaussians import Splats
from ..records.moment import Moment
from .landmarks import Binding, bind, projected, upwards
from .lips import lip_gap
from .sounds import Heard

SAMPLE = 24  # training rows whose mean is "the head as it speaks on average"


@dataclass(eq=False)
class Driver:
    """avatar, prepared by backend. seconds: of every picture made so far (deform and rasterise)."""

    avatar: Avatar
    backend: Backend
    clip: TrainingClip
    deformer: Deformer
    seconds: list[float] = field(default_factory=list)

    def splats(self, track: AudioTrack, seconds: float, row: int) -> Splats:
        """The head as it hears `track` at `seconds`, with the pose and the eyes of frame `row`."""
        pose = pose_vector(self.clip.viewmats[row].astype(np.float32))
        return splats_at(self.deformer, track, Moment(seconds, float(self.clip.eyes[row]), pose))

    def picture(
        self, track: AudioTrack, seconds: float, row: int, background: NDArray[np.float32] | None
    ) -> tuple[Image, Splats]:
        """Frame `row` drawn by the dataset's camera."""
        start = time.perf_counter()
        splats = self.splats(track, seconds, row)
        image = self.backend.rasterise(splats, self.clip.camera(row), background)
        self.seconds.append(time.perf_counter() - start)
        return image, splats


def driver_for(avatar: Avatar, backend: Backend, clip: TrainingClip) -> Driver:
    return Driver(avatar, backend, clip, backend.prepare(avatar))


def bound(driver: Driver, heard: Heard) -> Binding | None:
    """The Gaussians of the 68 landmarks: nearest in the head as it speaks on average in the
    training rows. None where the dataset has no landmarks."""
    clip = driver.clip
    rows = list(clip.train_rows)
    if not np.isfinite(clip.landmarks[rows]).any():
        return None
    middle = (clip.width / 2, clip.height / 2)
    places = triangulate_each(clip.landmarks[rows], clip.viewmats[rows], clip.focal, middle)
    means = np.zeros(driver.avatar.gaussians.means.shape)
    opacities = np.zeros(len(means))
    sample = rows[:: max(1, len(rows) // SAMPLE)]
    for row in sample:
        splats = driver.splats(heard.track, heard.seconds(row), row)
        means += splats.means
        opacities += splats.opacities
    return bind(places, means / len(sample), opacities / len(sample))


def seen_landmarks(binding: Binding, splats: Splats, camera: Camera) -> NDArray[np.float64]:
    """(68, 2) pixels."""
    return projected(binding.places(splats.means), camera)


def gap_of(binding: Binding, splats: Splats, camera: Camera) -> float:
    """The lip gap of the surface, pixels (see lips.lip_gap)."""
    return lip_gap_of(seen_landmarks(binding, splats, camera), camera)


def lip_gap_of(landmarks: NDArray[np.float64], camera: Camera) -> float:
    """The lip gap of one frame's landmarks (68, 2), pixels."""
    return float(lip_gap(landmarks[None], upwards(camera.viewmat)[None])[0])


def unit(image: Image) -> NDArray[np.float32]:
    """(H, W, 3) an opaque picture's colours within [0, 1]."""
    return np.asarray(np.clip(image[..., :3], 0, 1), np.float32)
