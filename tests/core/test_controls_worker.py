"""Every control does the same in a worker as in this process."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.engine.builtin import BuiltinEngine
from core.engine.interface import Engine
from core.engine.worker import WorkerEngine
from tests.support.synthetic import random_pose
from tests.support.talking import job_for, small_avatar

CONTROLS = (
    {}, {"eye": 0.9}, {"strength": 0.4}, {"mouth_gain": 0.0}, {"mouth_gain": 1.5},
    {"opacity": 0.5}, {"opacity": 0.0}, {"colour_gain": 0.5}, {"pose": random_pose(4)},
)  # fmt: skip


def pictures(engine: Engine, folder: Path, path: Path, avatar: object) -> np.ndarray:
    """(controls, H, W, 4) uint8: one moment under every control in turn."""
    job = job_for(path, avatar, folder, 6, background=False)
    first = replace(job.frames[5], moment=replace(job.frames[5].moment, eye=0.1))
    tasks = tuple(
        replace(first, number=n, moment=replace(first.moment, **controls))
        for n, controls in enumerate(CONTROLS)
    )
    job = replace(job, frames=tasks)
    with contextlib.closing(engine):
        for _ in engine.bake(job):
            pass
    return np.stack([np.asarray(Image.open(job.path_of(task))) for task in tasks])


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, np.ndarray]:
    folder = tmp_path_factory.mktemp("worker")
    avatar = small_avatar(folder / "small.egs")
    worker = WorkerEngine(Path(sys.executable), folder / "worker.log", backend="numpy")
    engines = {"here": BuiltinEngine("numpy"), "there": worker}
    here, there = (
        pictures(engine, folder / name, folder / "small.egs", avatar)
        for name, engine in engines.items()
    )
    assert worker.status().name == "worker"
    return here, there


@pytest.mark.parametrize(
    "number", range(len(CONTROLS)), ids=lambda n: ",".join(CONTROLS[n]) or "no"
)
def test_built_in_and_worker_agree(both: tuple[np.ndarray, np.ndarray], number: int) -> None:
    here, there = (pictures[number].astype(int) for pictures in both)
    assert np.abs(here - there).max() <= 1
    if CONTROLS[number]:
        assert (here != both[0][0]).any(), "the control changed no picture"
    if CONTROLS[number].get("opacity") == 0.0:
        assert not here.any()
