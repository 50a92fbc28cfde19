"""The commands of a training, the same as in a terminal. No bpy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...core.training.folder import work_folder
from ...core.training.job import STOP
from ..jobs.command import Step

LOG = "blender.log"  # in the work folder
AUTO = "auto"


@dataclass(frozen=True)
class Settings:
    """python: the worker's. dataset: the folder to train on; with a video, it is created from
    that first, next to the output. output: the .egs. minutes: 0 for as long as the preset takes.
    features: "auto" is the command's own choice. device: auto, cpu or cuda. resume: continue from
    the work folder's state. landmark_model, segmenter: files to use instead of the models in
    mediapipe.
    """

    python: Path
    dataset: Path
    output: Path
    video: Path | None = None
    preset: str = "good"
    minutes: float = 0.0
    features: str = AUTO
    device: str = AUTO
    resume: bool = False
    landmark_model: Path | None = None
    segmenter: Path | None = None

    @property
    def work(self) -> Path:
        return work_folder(self.output)


def command_for(settings: Settings) -> list[str]:
    """The step that trains."""
    command = [str(settings.python), "-m", "core", "train"]
    command += [str(settings.dataset), str(settings.output)]
    command += ["--preset", settings.preset, "--device", settings.device]
    if settings.minutes > 0:
        command += ["--minutes", f"{settings.minutes:g}"]
    if settings.features != AUTO:
        command += ["--features", settings.features]
    command += ["--work", str(settings.work)]
    if settings.resume:
        command.append("--resume")
    return [*command, "--json"]


def prepare_command_for(settings: Settings) -> list[str]:
    """The step that creates the dataset of a video; existing parts of it are kept."""
    command = [str(settings.python), "-m", "core", "prepare"]
    command += [str(settings.video), str(settings.dataset)]
    if settings.landmark_model is not None:
        command += ["--landmark-model", str(settings.landmark_model)]
    if settings.segmenter is not None:
        command += ["--segmenter", str(settings.segmenter)]
    return [*command, "--json"]


def steps_for(settings: Settings) -> tuple[Step, ...]:
    train = Step(
        "Training",
        tuple(command_for(settings)),
        stop_file=settings.work / STOP,
        result=settings.output,
    )
    if settings.video is None:
        return (train,)
    return (Step("Preparing", tuple(prepare_command_for(settings))), train)
