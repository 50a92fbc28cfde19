"""The loop that turns moments into files, shared by engines, worker, command line and Blender."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from ..avatar.file import load_avatar
from ..errors import InputError, OutputError
from ..images.files import stage_image
from ..images.image import Image, Pixels
from ..images.layers import Layers, mean_of
from ..images.queue import WriteQueue
from ..network.deformer import Deformer, splats_at
from ..records.audio_track import AudioTrack
from ..records.avatar import Avatar
from ..records.job import RAW, BakeJob, FrameTask
from ..records.progress import Progress, progress_during
from ..render.layers import behind_meshes, layers_of
from ..system.files import reason
from ..system.leftovers import remove_abandoned
from ..system.threads import in_order
from .backends import Backend
from .backgrounds import background_for
from .features import track_of_frames
from .keys import with_voice_digest
from .origin import notes_of, xmp_of

BYTES_PER_PIXEL = 16  # of an Image
LAYERED_BYTES_PER_PIXEL = 24  # of Layers
MAX_BYTES = 1 << 29  # of pictures that are drawn at once


def load_checked(path: Path, content_hash: str) -> Avatar:
    """The avatar in that file. Raises InputError if its content has changed."""
    avatar = load_avatar(path)
    if avatar.content_hash != content_hash:
        raise InputError(
            f"{path} changed since it was linked (content {avatar.content_hash[:12]}, "
            f"expected {content_hash[:12]}); import the avatar again"
        )
    return avatar


def bake(
    job: BakeJob, backend: Backend, avatar: Avatar | None = None
) -> Generator[Progress, None, None]:
    """Write every frame of the job in order, yielding once before the first and after each.

    A frame depends on its task, the avatar and the track alone, so frame k is the same bits alone
    or in a sequence (on a GPU: see batch_renderer_torch.py). Files are encoded and written on other
    threads while the next frame is computed; they get their names in order, each just before it is
    reported. Closing the iterator stops the bake; the reported files are complete, and no other
    file is left. avatar: the one at job.avatar_path, if it is already in memory.

    Unless the voice is a track, it is hashed for the pictures' keys and its features are computed
    first, on another thread; meanwhile it yields every steps.TICK seconds. Raises InputError,
    OutputError, EngineError.
    """
    total = len(job.frames)
    if not isinstance(job.voice, AudioTrack):
        yield Progress(0, total)
    if avatar is None or avatar.content_hash != job.avatar_hash:
        avatar = load_checked(job.avatar_path, job.avatar_hash)
    make_folder(job.directory)
    if job.has_notes:
        job = yield from progress_during(with_voice_digest(job, avatar), 0, total)
    if not isinstance(job.voice, AudioTrack):
        instants = (instant for task in job.frames for instant in task.instants)
        times = [instant.moment.seconds for instant in instants]
        job = replace(job, voice=(yield from track_of_frames(avatar, job.voice, times, total)))
    deformer = backend.prepare(avatar)
    yield Progress(0, total)
    largest = max(task.camera.width * task.camera.height for task in job.frames)
    tasks, xmp = iter(job.frames), xmp_of(avatar, job.background) if job.xmp else ""
    in_bytes = job.file_format == "png"
    bytes_per_pixel = LAYERED_BYTES_PER_PIXEL if job.layered else BYTES_PER_PIXEL
    with (
        contextlib.closing(pictures(job, avatar, deformer, backend, in_bytes)) as computed,
        WriteQueue(largest * bytes_per_pixel) as queue,
    ):
        for done, written in enumerate(job.frames, start=1):
            # Frames are computed ahead while older ones are being written.
            while not queue.ready() and (task := next(tasks, None)) is not None:
                image = next(computed)
                path = job.path_of(task)
                notes = notes_of(job, task, xmp)
                queue.put(partial(stage_image, path, image, job.file_format, notes))
                del image  # the queue frees it once it is encoded
            queue.finish()
            yield Progress(done, total, written.number, job.path_of(written))


def pictures(
    job: BakeJob, avatar: Avatar, deformer: Deformer, backend: Backend, in_bytes: bool = False
) -> Generator[Image | Pixels | Layers, None, None]:
    """The job's pictures in order, for every caller that turns a strip into pixels: the head at
    each moment, over the avatar's background if the job asks for it; Layers if its files have
    some. in_bytes: Pixels are accepted; a backend that draws one picture at a time still gives
    Images, which make the same PNG. A picture with motion blur is the mean of its instants."""
    if any(task.meshes is not None for task in job.frames):
        yield from _behind_meshes(job, avatar, deformer, backend)
        return
    if not any(task.blur for task in job.frames):
        yield from _sharp(job, avatar, deformer, backend, in_bytes)
        return
    instants = (
        FrameTask(task.number, instant.moment, instant.camera)
        for task in job.frames
        for instant in task.instants
    )
    every = replace(job, frames=tuple(instants))
    with contextlib.closing(_sharp(every, avatar, deformer, backend, False)) as drawn:
        for task in job.frames:
            samples = (cast(Image | Layers, next(drawn)) for _ in task.instants)
            yield mean_of(samples)


def _behind_meshes(
    job: BakeJob, avatar: Avatar, deformer: Deformer, backend: Backend
) -> Generator[Image | Layers, None, None]:
    """`pictures` of tasks of which meshes hide parts, which takes the head's depth."""
    whole = tuple(replace(task, meshes=None) for task in job.frames)
    every = replace(job, frames=whole, file_format=job.file_format if job.layered else RAW)
    with contextlib.closing(pictures(every, avatar, deformer, backend)) as drawn:
        for task in job.frames:
            layers = cast(Layers, next(drawn))
            if task.meshes is not None:
                layers = behind_meshes(layers, task.meshes)
            yield layers if job.layered else layers.image


def _sharp(
    job: BakeJob, avatar: Avatar, deformer: Deformer, backend: Backend, in_bytes: bool
) -> Generator[Image | Pixels | Layers, None, None]:
    """`pictures` of tasks without blur."""
    if backend.batches is not None:
        yield from backend.batches(job, avatar, deformer, in_bytes)
        return
    pixels = max(task.camera.width * task.camera.height for task in job.frames)
    fitting = MAX_BYTES // (pixels * BYTES_PER_PIXEL)
    threads = max(1, min(backend.side_by_side, fitting, len(job.frames)))
    draw = partial(_drawn, job, avatar, deformer, backend)
    with contextlib.closing(in_order(draw, job.frames, threads)) as drawn:
        yield from drawn


def _drawn(
    job: BakeJob, avatar: Avatar, deformer: Deformer, backend: Backend, task: FrameTask
) -> Image | Layers:
    splats = splats_at(deformer, job.track, task.moment)
    background = background_for(job, avatar, task.camera)
    if not job.layered:
        return backend.rasterise(splats, task.camera, background, job.sh_degree)
    depth = np.empty((task.camera.height, task.camera.width), np.float32)
    image = backend.rasterise(splats, task.camera, None, job.sh_degree, depth)
    return layers_of(image, depth, task.camera, background)


def picture(
    job: BakeJob, task: FrameTask, avatar: Avatar, deformer: Deformer, backend: Backend
) -> Image:
    """One frame of the job, as an Image."""
    alone = replace(job, frames=(task,))
    with contextlib.closing(pictures(alone, avatar, deformer, backend)) as one:
        return cast(Image, next(one))


def make_folder(folder: Path) -> None:
    """Create the output folder if it is missing. Raises OutputError, before anything is computed,
    if it is not writable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"folder {folder} cannot be created: {reason(error)}; choose another folder"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"folder {folder} is not writable; choose another folder")
    remove_abandoned(folder)
