"""Where a training writes: the avatar's place, the work folder, the stop file in it."""

from __future__ import annotations

from ..errors import OutputError
from ..files import reason
from .job import STOP, TrainJob


def check_places(job: TrainJob) -> None:
    """Before anything slow: OutputError where the avatar could not be written in the end. A stop
    file of another time goes; what comes after this is meant for this training."""
    if not job.out.parent.is_dir():
        raise OutputError(f"folder {job.out.parent} does not exist; create it first")
    if job.out.is_dir():
        raise OutputError(f"{job.out} is a folder; give another name for the avatar")
    if job.work.is_dir():
        (job.work / STOP).unlink(missing_ok=True)


def make_work_folder(job: TrainJob) -> None:
    try:
        job.work.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{job.work} cannot be made: {reason(error)}") from None
