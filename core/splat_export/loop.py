"""The loop that turns moments into splat files, for command line and Blender."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Generator
from dataclasses import replace

from ..avatar.motion import head_on_body
from ..bake.features import track_of_frames
from ..bake.loop import load_checked, make_folder
from ..engine.cache.frames import frame_key
from ..engine.interface import Engine
from ..records.audio_track import AudioTrack
from ..records.avatar import Avatar
from ..records.moment import Moment
from ..records.progress import Progress
from ..records.splat_job import SplatJob, SplatTask
from ..records.timeline import row_of_seconds
from .writers import writer_of


def export_splats(
    job: SplatJob, engine: Engine, avatar: Avatar | None = None
) -> Generator[Progress, None, None]:
    """Write every frame of the job in order, yielding once before the first and after each; while
    the features of the voice are computed, every steps.TICK seconds.

    Each frame is what the engine draws at that moment. A file gets its name when it is complete.
    Closing the iterator stops the export: finished files of a sequence stay and are skipped by the
    next export of the same frames; a file of many frames starts again. avatar: the one at
    job.avatar_path, if it is already in memory. Raises InputError, OutputError, EngineError, and
    MissingPackageError if .usdc cannot be written here."""
    total = len(job.frames)
    yield Progress(0, total)
    if avatar is None or avatar.content_hash != job.avatar_hash:
        avatar = load_checked(job.avatar_path, job.avatar_hash)
    make_folder(job.path.parent)
    with contextlib.closing(writer_of(job)) as writer:
        track = job.voice
        if not isinstance(track, AudioTrack):
            times = [task.moment.seconds for task in job.frames]
            track = yield from track_of_frames(avatar, track, times, total)
        yield Progress(0, total)
        for done, task in enumerate(job.frames, start=1):
            on_body = head_on_body(avatar, task.moment.pose)
            if on_body is not None:  # the place is that of the body, on which the head turns
                task = replace(task, place=task.place @ on_body)
            key = key_of(job, task, track)
            if not writer.has(task, key):
                splats = engine.deform(avatar, track, task.moment)
                writer.add(task, splats, key)
            if done == total:
                writer.finish()
            yield Progress(done, total, task.number, job.path_of(task))


def key_of(job: SplatJob, task: SplatTask, track: AudioTrack) -> str:
    """Name of a frame's content: everything that determines the file."""
    digest = hashlib.sha256(f"{job.sh_degree}".encode())
    digest.update(task.place.tobytes())
    for row in _rows_of(task.moment, track):
        digest.update(track.around(row).tobytes())
    return frame_key(job.avatar_hash, digest.hexdigest(), task.moment)


def _rows_of(moment: Moment, track: AudioTrack) -> list[int]:
    """The rows of the sound that the network hears at the moment."""
    if not track.windows.size:
        return []
    row, weight = row_of_seconds(moment.seconds)
    return [row, row + 1] if weight else [row]
