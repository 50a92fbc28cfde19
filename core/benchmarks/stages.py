"""The cost of a frame, stage by stage, on one backend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ..audio.extractor import COMPUTED
from ..audio.features import track_from_waveform, track_pieces
from ..audio.logmel import KIND
from ..audio.waveform import from_samples
from ..bake.backends import Backend
from ..bake.loop import bake, picture
from ..images.files import write_image
from ..images.layers import Layers
from ..network.deformer import splats_at
from ..records.audio_track import AudioTrack
from ..records.avatar import Avatar
from ..records.job import FILE_FORMATS, LAYERED, BakeJob
from ..records.voice import RATE, Waveform
from ..system.leftovers import temporary_folder
from ..system.steps import finished
from .rows import Row, measured, per_item

MADE_SECONDS = 8.0
HOUR = 3600  # seconds
CHUNK_FRAMES = 250  # as a farm shares out


def made_sound() -> Waveform:
    """A synthetic buzz with syllables, the same at each call."""
    seconds = np.arange(int(MADE_SECONDS * RATE)) / RATE
    buzz = np.zeros_like(seconds)
    for harmonic in range(1, 20):
        buzz += np.sin(2 * np.pi * 120 * harmonic * seconds) / harmonic
    noise = np.random.default_rng(0).normal(size=len(seconds))
    voice = 0.1 * (buzz + 0.1 * noise) * np.sin(4 * np.pi * seconds) ** 2
    return from_samples(voice.astype(np.float32), RATE)


def made_track(avatar: Avatar) -> AudioTrack:
    """Features of the synthetic sound for the avatar; noise if its features are of another kind."""
    spec = avatar.features
    if spec is None:
        return AudioTrack(np.zeros((0, 1, 1), np.float32))
    if spec.kind == KIND:
        return track_from_waveform(made_sound(), spec)
    shape = (int(MADE_SECONDS * 25), spec.steps, spec.values)
    return AudioTrack(np.random.default_rng(0).normal(size=shape).astype(np.float32))


def features(avatar: Avatar, waveform: Waveform, runs: int = 5) -> Iterator[Row]:
    """Time a frame over the whole sound, and over a chunk of a long one, if this program computes
    the avatar's features."""
    spec = avatar.features
    if spec is None or spec.kind not in COMPUTED:
        return
    rows = max(1, waveform.rows)
    whole = measured("features", "numpy", partial(track_from_waveform, waveform), [spec] * runs)
    yield _a_frame(whole, rows)
    repeats = -(-HOUR * RATE // max(1, len(waveform)))
    hour = Waveform(np.tile(waveform.samples, repeats)[: HOUR * RATE])
    middle = range(HOUR * 25 // 2, HOUR * 25 // 2 + CHUNK_FRAMES)
    chunk = measured(
        "features, chunk",
        f"numpy, {CHUNK_FRAMES} of an hour",
        lambda wanted: finished(track_pieces(avatar, hour, wanted)),
        [middle] * 3,
    )
    yield _a_frame(chunk, CHUNK_FRAMES)


def _a_frame(row: Row, frames: int) -> Row:
    return replace(
        row,
        median_ms=row.median_ms / frames,
        min_ms=row.min_ms / frames,
        first_ms=row.first_ms / frames,
        cpu_ms=row.cpu_ms / frames,
    )


def frames(avatar: Avatar, job: BakeJob, backend: Backend) -> Iterator[Row]:
    """Prepare, deform, rasterise, bake to PNG. The float64 oracle rasterises two frames only."""
    slow = backend.name == "reference"
    jobs = {backend.name: job}
    if avatar.frozen_gaussians is not None and backend.batches is None and not slow:
        jobs[f"{backend.name}, approximate"] = approximate(job)
    deformer = backend.prepare(avatar)
    heads = [
        (splats_at(deformer, job.track, task.moment), task.camera)
        for task in (job.frames[:2] if slow else job.frames)
    ]
    if not slow:
        yield measured("prepare", backend.name, backend.prepare, [avatar] * 2)
        for name, each in jobs.items():
            moments = [task.moment for task in each.frames]
            yield measured("deform", name, partial(splats_at, deformer, job.track), moments)
    yield measured("rasterise", backend.name, lambda head: backend.rasterise(*head), heads)
    if slow:
        return
    remembered = replace(backend, prepare=lambda _: deformer)
    for name, each in jobs.items():
        with temporary_folder() as folder:
            baked = bake(replace(each, directory=Path(folder)), remembered, avatar)
            next(baked)
            yield per_item("bake", name, next, [baked] * len(each.frames))


def approximate(job: BakeJob) -> BakeJob:
    """The same job with frozen Gaussians (network/frozen.py)."""
    tasks = (replace(task, moment=replace(task.moment, approximate=True)) for task in job.frames)
    return replace(job, frames=tuple(tasks))


def writing(avatar: Avatar, job: BakeJob, backend: Backend) -> Iterator[Row]:
    image = picture(job, job.frames[0], avatar, backend.prepare(avatar), backend)
    matte = image[..., 3]
    layers = Layers(image, np.ones_like(matte), matte)
    with temporary_folder() as folder:
        for file_format in FILE_FORMATS:
            path = Path(folder) / f"frame.{file_format}"
            formats = [file_format] * len(job.frames)
            drawn = layers if file_format in LAYERED else image
            yield measured("write", file_format, partial(write_image, path, drawn), formats)
