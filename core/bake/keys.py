"""The key of a picture: what it was made from, so that a finished one is recognised."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import fields, replace

import numpy as np

from ..audio.digest import heard, voice_digest
from ..avatar.file import load_avatar
from ..records.audio_track import AudioTrack
from ..records.avatar import Avatar
from ..records.camera import Camera
from ..records.job import BakeJob, FrameTask
from ..records.moment import Moment
from ..system.steps import in_background

# Raise it when the network, a rasteriser or a file format gives another picture for the same job:
# finished frames of older versions are then baked again. Engines and backends are not part of the
# key: their pictures agree within the limits that the tests hold.
KEY_VERSION = 1


def picture_key(job: BakeJob, task: FrameTask) -> str:
    """SHA-256, hexadecimal, of everything that determines the picture: avatar, what it hears of the
    voice, every field of the moments and cameras to the last bit, the meshes before the head, and
    what the file holds; not its folder, name and number. The job's voice_digest is known."""
    voice = heard(job.voice_digest, (instant.moment.seconds for instant in task.instants))
    digest = hashlib.sha256(
        f"{KEY_VERSION} {job.avatar_hash} {voice} {job.file_format} {job.background} "
        f"{job.sh_degree} {job.xmp} {len(task.blur)}".encode()
    )
    for instant in task.instants:
        digest.update(_bytes_of(instant.moment))
        digest.update(_bytes_of(instant.camera))
    if task.meshes is not None:
        digest.update(f"{task.meshes.left} {task.meshes.top} {task.meshes.size}".encode())
        digest.update(np.ascontiguousarray(task.meshes.depth).tobytes())
    return digest.hexdigest()


def with_voice_digest(job: BakeJob, avatar: Avatar | None = None) -> Generator[None, None, BakeJob]:
    """The job with the voice_digest of its frames: computed on another thread if it is not known,
    yielding every steps.TICK seconds. avatar: the job's, if it is in memory. AudioError,
    AvatarFileError."""
    if job.voice_digest:
        return job
    if isinstance(job.voice, AudioTrack):
        return replace(job, voice_digest=voice_digest(job.voice, None))
    times = [instant.moment.seconds for task in job.frames for instant in task.instants]

    def compute(_abandoned: object) -> str:
        spec = (avatar or load_avatar(job.avatar_path)).features
        return voice_digest(job.voice, spec, times)

    found = yield from in_background(compute)
    return replace(job, voice_digest=found)


def _bytes_of(record: Moment | Camera) -> bytes:
    """All fields by name, so that a new one counts too; numbers as float64, which the worker's
    tables keep to the last bit."""
    parts = []
    for field in fields(record):
        value = getattr(record, field.name)
        numbers = b"none" if value is None else np.asarray(value, np.float64).tobytes()
        parts.append(f" {field.name} ".encode() + numbers)
    return b"".join(parts)
