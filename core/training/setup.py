"""Everything between a training job and its first step."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from ..dataset.clip import TrainingClip
from ..dataset.load import load_clip
from ..dataset.rows import rows_to_train
from ..dataset.sound import shortened, training_track
from ..records.avatar import Background
from ..records.feature_spec import FeatureSpec
from ..system.machine import available_cores
from .batches import Batches
from .body import BodyPlan, TrainableBody, plan_body
from .config import TrainConfig
from .folder import check_places, make_work_folder
from .head import Head, first_colours, first_points, new_head
from .job import TrainJob
from .rasterisers.choose import splatter_for
from .rasterisers.record import Splatter
from .result import background_for, still_row
from .schedule import BODY, LIPS, MOTION, STATIC


@dataclass(frozen=True, eq=False)
class Setup:
    """splat: the differentiable rasteriser of the job's device. spec: of the audio features.
    background: image and torso behind the head, and their frame. head: untrained. stages: their
    names, in order. preview_rows: held-out frames. notes: for the user. body: None for a head
    alone."""

    job: TrainJob
    splat: Splatter
    background: tuple[Background, int]
    batches: Batches
    spec: FeatureSpec
    head: Head
    stages: tuple[str, ...]
    preview_rows: tuple[int, ...]
    notes: tuple[str, ...]
    body: BodyPlan | None


def set_up(job: TrainJob) -> Setup:
    """Open the dataset and make the untrained head; create the work folder last, when all inputs
    are known to be usable. Raises what `train` does."""
    check_places(job)
    splat = splatter_for(job.device)
    use_all_cores()
    clip = load_clip(job.dataset)
    background = background_for(clip)
    batches, spec, notes = open_batches(job, clip)
    head = first_head(job, batches)
    body = None
    if job.config.body:
        body = plan_body(batches, still_row(clip, background[1]), job.config.body_points)
        if body is None:
            notes.append("the masks hold no torso: the avatar is a head alone")
        else:
            head.body = TrainableBody(body.first, job.device)
    earlier = make_work_folder(job)
    return Setup(
        job=job,
        splat=splat,
        background=background,
        batches=batches,
        spec=spec,
        head=head,
        stages=(*stages_of(job.config, batches), *([BODY] if body else [])),
        preview_rows=clip.val_rows or clip.train_rows,
        notes=(*clip.notes, *notes, *([earlier] if earlier else [])),
        body=body,
    )


def use_all_cores() -> None:
    """Use all cores unless the user chose a number of threads: torch's default ignores a
    container's limit."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(available_cores())


def open_batches(job: TrainJob, clip: TrainingClip) -> tuple[Batches, FeatureSpec, list[str]]:
    """The training samples, the spec of their audio features, and notes on these features."""
    config = job.config
    notes: list[str] = []
    track, spec = training_track(clip, config.features, files=job.feature_files, notes=notes)
    track, spec = shortened(track, spec, config.window)
    return Batches(clip, track, config, rows_to_train(clip, job.rows), job.device), spec, notes


def first_head(job: TrainJob, batches: Batches) -> Head:
    points = first_points(batches.clip, job.init)
    colours = first_colours(batches.clip, points)
    poses = batches.poses[batches.rows].cpu().numpy()
    return new_head(points, poses, batches.audio_dim, job.config, job.device, colours)


def stages_of(config: TrainConfig, batches: Batches) -> tuple[str, ...]:
    """The names of the head's stages, in order. The lips stage needs landmarks."""
    static = [STATIC] if config.static_init else []
    lips = [LIPS] if config.lips_steps and batches.landmark_points is not None else []
    return (*static, *lips, MOTION)
