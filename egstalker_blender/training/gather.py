"""The scene's settings as one frozen record, and the reason why a training cannot start."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ...core.avatar.file import SUFFIX
from ...core.errors import ArgumentError, EgsError, MissingPackageError
from ...core.training.folder import dataset_folder, has_state, work_folder
from .. import preferences
from ..paths import absolute
from ..setup_worker.session import session as worker_session
from .plan import Settings
from .session import session

NO_PYTHON = "Training needs a worker Python with torch; Set Up in the preferences creates one"
NO_PLACE = "Save the .blend, or choose a full path for the output"


def output_of(scene: Any) -> Path | None:
    """The avatar file to write, None while the settings name none."""
    text = scene.egstalker_training.output.strip()
    if not text or text.endswith(("/", "\\")):
        return None
    try:
        path = absolute(text).absolute()
    except EgsError:
        return None
    return path if path.suffix.lower() == SUFFIX else path.with_name(path.name + SUFFIX)


def can_resume(scene: Any) -> bool:
    output = output_of(scene)
    return output is not None and has_state(work_folder(output))


def python_reason(scene: Any) -> str:
    """The reason why the worker's Python cannot train; empty if it can or is not checked yet."""
    try:
        python, models = preferences.worker_python(), preferences.video_models()
    except EgsError as error:
        return str(error)
    if python is None:
        return NO_PYTHON
    answer = session().probe.answer(python)
    if answer is None:
        return ""
    return answer.reason(scene.egstalker_training.source == "VIDEO", models.complete)


def blocker(context: Any) -> str:
    """The reason why no training can start now, empty if one can. Cheap: used at every redraw."""
    if session().running:
        return "A training is running; wait for it, or stop it"
    if worker_session().running:
        return "Wait until the worker is set up"
    return (
        python_reason(context.scene) or source_reason(context.scene) or output_reason(context.scene)
    )


def source_reason(scene: Any) -> str:
    props = scene.egstalker_training
    is_video = props.source == "VIDEO"
    text = props.video if is_video else props.dataset
    if not text:
        return "Choose a video" if is_video else "Choose the dataset folder"
    try:
        path = absolute(text)
    except EgsError:
        return "Save the .blend, or choose a full path for the training data"
    if is_video:
        return "" if path.is_file() else f"The video is not at {path}"
    return "" if path.is_dir() else f"The dataset folder is not at {path}"


def output_reason(scene: Any) -> str:
    props = scene.egstalker_training
    if not props.output.strip():
        return "Choose the avatar file to write"
    path = output_of(scene)
    if path is None:
        return NO_PLACE if props.output.startswith("//") else "Give the output a file name"
    if not path.parent.is_dir():
        return f"The output folder {path.parent} does not exist"
    if not os.access(path.parent, os.W_OK):
        return f"Cannot write to the output folder {path.parent}"
    if path.is_dir():
        return f"The output {path} is a folder; give it a file name"
    return ""


def settings_of(context: Any, resume: bool = False) -> Settings:
    """The settings of the scene and the preferences. ArgumentError, MissingPackageError."""
    scene = context.scene
    reason = source_reason(scene) or output_reason(scene)
    python = preferences.worker_python()
    output = output_of(scene)
    if reason or output is None:
        raise ArgumentError(reason or NO_PLACE)
    if python is None:
        raise MissingPackageError(NO_PYTHON)
    models = preferences.video_models()
    props = scene.egstalker_training
    video = absolute(props.video).absolute() if props.source == "VIDEO" else None
    return Settings(
        python=python.absolute(),
        dataset=dataset_folder(output, video) if video else absolute(props.dataset).absolute(),
        output=output,
        video=video,
        preset=props.preset,
        minutes=props.minutes,
        features=props.features,
        device=preferences.device(),
        resume=resume,
        landmark_model=models.landmarks,
        segmenter=models.segmenter,
    )
