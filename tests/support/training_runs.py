"""Trainings so small that tests can run many: a clip of 64 x 64 pixels, a few hundred Gaussians."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from core.errors import CancelledError
from core.formats.safetensors import read_tensors
from core.network.torch.network import RawTensors
from core.training import setup, trainer
from core.training.config import Losses, TrainConfig
from core.training.folder import STATE
from core.training.job import STOP, TrainJob
from tests.support import talking_clip
from tests.support.talking_clip import acted_clip, acting, acting_avatar

SMALL = TrainConfig(
    features="log-mel", static_steps=6, lips_steps=4, motion_steps=6, points=300, max_points=360,
    batch=1, agents=16, hidden=16, decoder=8, resolution=8, window=4, preview_every=0,
)  # fmt: skip
OFFICIAL = replace(
    SMALL,
    arrangement="official",
    window=16,
    lips_steps=0,
    losses=Losses(square=0, mask=0, offset=0, landmark=0, surface=0),
)


def make_talking_clip(folder: Path) -> Path:
    """The dataset of an acting avatar, see talking_clip.py, with a mouth that is large enough for
    64 pixels: its Gaussians are broad, and it opens wide."""
    avatar = acting_avatar(folder / "actor.egs")
    broad = avatar.gaussians.log_scales.copy()
    broad[-68 * talking_clip.EACH :] = np.log(0.07)
    avatar = replace(avatar, gaussians=replace(avatar.gaussians, log_scales=broad))
    with mock.patch.object(talking_clip, "DROP", 0.3):
        return acted_clip(folder / "clip", avatar, acting())


def gaussians_at(means: torch.Tensor, size: float = 1e-9) -> RawTensors:
    """Round ones of that standard deviation at (N, 3), without colour."""
    count = len(means)
    quats = torch.tensor([1.0, 0, 0, 0]).repeat(count, 1)
    logs = torch.full((count, 3), float(np.log(size)))
    return RawTensors(means, logs, quats, torch.zeros(count), torch.zeros(count, 1, 3))


def job_of(clip: Path, folder: Path, config: TrainConfig = SMALL, **values: Any) -> TrainJob:
    folder.mkdir(exist_ok=True)
    return TrainJob(clip, folder / "head.egs", folder / "work", config, **values)


def train(job: TrainJob) -> list[dict[str, Any]]:
    """Run it; returns its events."""
    events: list[dict[str, Any]] = []
    # One thread: with so little work on a busy machine, two would mostly wait for each other.
    threads = torch.get_num_threads()
    try:
        with mock.patch.object(setup, "available_cores", lambda: 1):
            trainer.train(job, lambda event: events.append(dict(event)))
    finally:
        torch.set_num_threads(threads)
    return events


@contextmanager
def stopped_before(stage: str, step: int) -> Iterator[None]:
    """In this context a training finds its stop file just before that step."""
    check = trainer._Training._check_stop

    def checked(self: Any, now: Any, done: int) -> None:
        if (now.name, done) == (stage, step):
            (self.job.work / STOP).touch()
        check(self, now, done)

    with mock.patch.object(trainer._Training, "_check_stop", checked):
        yield


def stop_at(job: TrainJob, stage: str, step: int) -> None:
    """Train until the stop file appears before that step."""
    with stopped_before(stage, step):
        try:
            train(job)
        except CancelledError:
            return
    raise AssertionError(f"step {step} of {stage} was never reached")


def state_of(job: TrainJob) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Tensors and metadata of its state file, without the checksum, for tests that change them."""
    tensors, metadata, _ = read_tensors(job.work / STATE)
    assert len(metadata.pop("sha256")) == 64
    return tensors, metadata
