"""Which frames of a bake are finished: recognised by their keys, checked and not trusted."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import ArgumentError, CancelledError
from ..images.headers import Headers, read_headers
from ..records.job import BakeJob, Existing, FrameTask
from ..records.progress import Progress, progress_during
from ..system.steps import in_background
from .keys import picture_key, with_voice_digest


@dataclass(frozen=True, eq=False)
class _Checked:
    """missing: frames to bake, in order. stale: how many of them have a file."""

    missing: tuple[FrameTask, ...]
    stale: int


def unfinished(job: BakeJob, existing: Existing) -> Generator[Progress, None, BakeJob | None]:
    """The job of the frames that are to be baked, None if all are finished. Yields as in_background
    does, without resume not at all. ArgumentError for files that may not be overwritten, and the
    errors of audio.digest."""
    if not existing.resume:
        return job
    if not job.has_notes:
        raise ArgumentError("array files hold no key, so they cannot be resumed; choose png or exr")
    total = len(job.frames)
    yield Progress(0, total, note="looking for finished frames")
    job = yield from progress_during(with_voice_digest(job), 0, total)
    checking = in_background(lambda abandoned: _check(job, existing.overwrite, abandoned))
    checked = yield from progress_during(checking, 0, total)
    done = total - len(checked.missing)
    again = f"; {checked.stale} were made from other input, or are cut off" if checked.stale else ""
    yield Progress(done, total, note=f"{done} of {total} frames are finished and stay{again}")
    return replace(job, frames=checked.missing) if checked.missing else None


def continued(steps: Iterable[Progress], done: int, total: int) -> Generator[Progress, None, None]:
    """The progress of the frames that `unfinished` left, after `done` of `total`."""
    for step in steps:
        yield replace(step, done=done + step.done, total=total)


def _check(job: BakeJob, overwrite: bool, abandoned: threading.Event) -> _Checked:
    missing: list[FrameTask] = []
    foreign: list[tuple[Path, str]] = []
    stale = 0
    for task in job.frames:
        if abandoned.is_set():
            raise CancelledError("the frames are no longer needed")
        path = job.path_of(task)
        headers = read_headers(path)
        if headers is not None and headers.whole and headers.key == picture_key(job, task):
            continue
        missing.append(task)
        if headers is None:
            continue
        stale += 1
        if reason := _foreign(headers, job):
            foreign.append((path, reason))
    if foreign and not overwrite:
        path, reason = foreign[0]
        raise ArgumentError(
            f"{len(foreign)} of {len(job.frames)} files are not of this bake, the first is {path}, "
            f"{reason}; choose another folder, or replace them with Overwrite (--overwrite)"
        )
    return _Checked(tuple(missing), stale)


def _foreign(headers: Headers, job: BakeJob) -> str:
    """Why a file is not one that a bake of this avatar left; empty if it is."""
    if headers.empty or headers.avatar == job.avatar_hash:
        return ""
    return "made from another avatar" if headers.avatar else "which holds no key"
