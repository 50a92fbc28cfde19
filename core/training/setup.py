"""Everything between a training job and its first step."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from ..audio import phonetic
from ..audio.extractor import COMPUTED
from ..dataset.clip import TrainingClip
from ..dataset.load import load_clip
from ..dataset.rows import rows_to_train
from ..dataset.sound import shortened, training_track
from ..records.audio_track import AudioTrack
from ..records.avatar import Background
from ..records.feature_spec import FeatureSpec
from ..system.machine import available_cores
from .batches import Batches
from .body import BodyPlan, TrainableBody, plan_body
from .config import TrainConfig
from .folder import check_places, make_work_folder
from .head import Head, first_colours, first_points, new_head
from .job import TrainJob
from .mouth import HeardMouth, heard_mouth
from .rasterisers.choose import splatter_for
from .rasterisers.record import Splatter
from .result import background_for, still_row
from .schedule import BODY, LIPS, MOTION, STATIC


@dataclass(frozen=True, eq=False)
class Sound:
    """What an avatar hears of its film, as its network receives it, and the features' spec."""

    track: AudioTrack
    spec: FeatureSpec


@dataclass(frozen=True, eq=False)
class Setup:
    """splat: the differentiable rasteriser of the job's device. sound: what the avatar hears of the
    film; batches.track is what it is trained on. background: image and torso behind the head, and
    their frame. head: untrained. stages: their names, in order. preview_rows: held-out frames.
    notes: for the user. body: None for a head alone."""

    job: TrainJob
    splat: Splatter
    background: tuple[Background, int]
    batches: Batches
    sound: Sound
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
    batches, sound, notes = open_batches(job, clip)
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
        sound=sound,
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


def open_batches(job: TrainJob, clip: TrainingClip) -> tuple[Batches, Sound, list[str]]:
    """The training samples, what the avatar hears, and notes on its audio features."""
    config = job.config
    notes: list[str] = []
    rows = rows_to_train(clip, job.rows)
    track, spec = training_track(clip, config.features, files=job.feature_files, notes=notes)
    if config.mouth and config.arrangement == "paper":
        found = _mouth(clip, track, spec, rows)
        if isinstance(found, HeardMouth):
            notes.append(f"lips from the sound, on unseen frames: {found.correlation:.2f}")
            assert found.spec.mouth is not None
            if found.spec.kind == phonetic.KIND and found.spec.mouth.shut is None:
                notes.append("the voice is unlike speech: breath and music will move the mouth")
            batches = Batches(clip, found.shown, config, rows, job.device, mouth=True)
            return batches, Sound(found.heard, found.spec), notes
        notes.append(f"the network hears all sound features: {found}")
    track, spec = shortened(track, spec, config.window)
    return Batches(clip, track, config, rows, job.device), Sound(track, spec), notes


def _mouth(
    clip: TrainingClip, track: AudioTrack, spec: FeatureSpec, rows: tuple[int, ...]
) -> HeardMouth | str:
    if spec.kind not in COMPUTED:
        return f"{spec.kind} features are not computed here"
    return heard_mouth(clip, track, spec, rows)


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
