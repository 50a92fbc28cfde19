"""Output paths of a training: the avatar, the work folder and the stop file in it. No torch."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import OutputError
from ..system.files import reason
from ..system.leftovers import remove_abandoned
from .job import STOP, TrainJob

STATE = "state.safetensors"
EARLIER_STATE = "before.safetensors"


def work_folder(out: Path) -> Path:
    """The default folder of state, log and previews: next to the avatar."""
    return out.with_suffix(".training")


def dataset_folder(out: Path, video: Path) -> Path:
    """The folder of a video's dataset: next to the avatar, shared by all trainings on the video."""
    return out.with_name(f"{video.stem}.dataset")


def has_state(work: Path) -> bool:
    """True if there is a training to resume. Reads the disk once."""
    return (work / STATE).is_file()


def check_places(job: TrainJob) -> None:
    """Check, before anything slow, that the avatar can be written at the end; OutputError if not.
    Removes a stop file of an earlier training: any that appears later is meant for this one."""
    if not job.out.parent.is_dir():
        raise OutputError(f"folder {job.out.parent} does not exist; create it first")
    if job.out.is_dir():
        raise OutputError(f"{job.out} is a folder; give another name for the avatar")
    try:
        if job.work.is_dir():
            (job.work / STOP).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{job.work} cannot be written: {reason(error)}") from None


def make_work_folder(job: TrainJob) -> str | None:
    """Create the work folder. A training that does not resume renames an earlier state; the note
    that is returned then says where it is. OutputError."""
    try:
        job.work.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{job.work} cannot be made: {reason(error)}") from None
    remove_abandoned(job.work)
    state, earlier = job.work / STATE, job.work / EARLIER_STATE
    if job.resume or not state.is_file():
        return None
    try:
        os.replace(state, earlier)
    except OSError as error:
        raise OutputError(f"{state} cannot be renamed: {reason(error)}") from None
    return f"the state of an earlier training is kept as {earlier}"
