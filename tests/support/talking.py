"""A small avatar on disk and bake jobs for it, for tests of engines, worker and commands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from core.avatar.file import load_avatar, save_avatar
from core.bake.plan import training_tasks
from core.records.audio_track import AudioTrack
from core.records.avatar import Avatar
from core.records.camera import viewmat_from_track
from core.records.feature_spec import FeatureSpec
from core.records.job import BakeJob
from tests.support.avatars import moving_avatar
from tests.support.synthetic import random_body

SIZE = 48
ROWS = 12


def small_avatar(path: Path, n: int = 120) -> Avatar:
    """Written to `path` and read again, so that it has a content hash."""
    viewmats = [viewmat_from_track((0.02 * i, -0.01 * i, 0), (0, 0, -7.5)) for i in range(ROWS)]
    features = FeatureSpec(kind="deepspeech", dim=29)
    middle, size = (SIZE / 2, SIZE / 2), (SIZE, SIZE)
    avatar = moving_avatar("small", n, viewmats, middle, size, features, seed=5)
    save_avatar(avatar, path)
    return load_avatar(path)


def small_bust(path: Path, n: int = 120, m: int = 60) -> Avatar:
    """A small avatar with a body that sways."""
    avatar = small_avatar(path, n)
    bodies = [viewmat_from_track((0, 0, 0.01 * i), (0.02 * i, 0, -7.5)) for i in range(ROWS)]
    assert avatar.track is not None
    track = replace(avatar.track, bodies=np.float32(bodies))
    save_avatar(replace(avatar, body=random_body(m), track=track), path)
    return load_avatar(path)


def sound(seed: int = 0, rows: int = ROWS) -> AudioTrack:
    windows = np.random.default_rng(seed).normal(size=(rows, 16, 29))
    return AudioTrack(windows.astype(np.float32))


def job_for(
    path: Path, avatar: Avatar, directory: Path, count: int = 4, **changes: object
) -> BakeJob:
    frames = training_tasks(avatar, range(1, count + 1))
    job = BakeJob(path, avatar.content_hash, sound(), frames, directory)
    return replace(job, **changes)  # type: ignore[arg-type]


def files(folder: Path) -> dict[str, bytes]:
    """Everything in the folder, hidden files too."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
