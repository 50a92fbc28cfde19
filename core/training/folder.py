"""Where a training writes: the avatar's place, the work folder, the stop file in it. No torch."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import OutputError
from ..system.files import reason
from .job import STOP, TrainJob

FILE = "state.safetensors"
BEFORE = "before.safetensors"


def work_folder(out: Path) -> Path:
    """Of state, log and previews, where no other is named: beside the avatar."""
    return out.with_suffix(".training")


def dataset_folder(out: Path, video: Path) -> Path:
    """Where a video's dataset is made: beside the avatar, one for all trainings on that video."""
    return out.with_name(f"{video.stem}.dataset")


def has_state(work: Path) -> bool:
    """Whether there is a training to go on with. One question to the disk."""
    return (work / FILE).is_file()


def check_places(job: TrainJob) -> None:
    """Before anything slow: OutputError where the avatar could not be written in the end. A stop
    file of another time goes; what comes after this is meant for this training."""
    if not job.out.parent.is_dir():
        raise OutputError(f"folder {job.out.parent} does not exist; create it first")
    if job.out.is_dir():
        raise OutputError(f"{job.out} is a folder; give another name for the avatar")
    if job.work.is_dir():
        (job.work / STOP).unlink(missing_ok=True)


def make_work_folder(job: TrainJob) -> str | None:
    """A training that begins again puts the state of the one before aside, and this says where."""
    try:
        job.work.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{job.work} cannot be made: {reason(error)}") from None
    state, aside = job.work / FILE, job.work / BEFORE
    if job.resume or not state.is_file():
        return None
    try:
        os.replace(state, aside)
    except OSError as error:
        raise OutputError(f"{state} cannot be put aside: {reason(error)}") from None
    return f"the state of an earlier training is kept as {aside}"
