"""What a frame costs, stage by stage, on every backend that this Python has."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ..audio.features import track_from_waveform
from ..audio.logmel import KIND
from ..audio.waveform import from_samples
from ..bake.backends import BACKENDS, Backend
from ..bake.loop import bake, picture
from ..bake.preparing import preparations
from ..images.files import write_image
from ..images.image import Pixels, to_uint8
from ..images.packing import packers
from ..images.png import LEVEL
from ..network.deformer import splats_at
from ..records.audio_track import AudioTrack
from ..records.avatar import Avatar
from ..records.job import FILE_FORMATS, BakeJob
from ..records.voice import RATE, Waveform
from .rows import Row, measured, per_item

MADE_SECONDS = 8.0


def made_sound() -> Waveform:
    """A buzz in syllables, the same at each call."""
    seconds = np.arange(int(MADE_SECONDS * RATE)) / RATE
    buzz = np.zeros_like(seconds)
    for harmonic in range(1, 20):
        buzz += np.sin(2 * np.pi * 120 * harmonic * seconds) / harmonic
    noise = np.random.default_rng(0).normal(size=len(seconds))
    voice = 0.1 * (buzz + 0.1 * noise) * np.sin(4 * np.pi * seconds) ** 2
    return from_samples(voice.astype(np.float32), RATE)


def made_track(avatar: Avatar) -> AudioTrack:
    """The made sound as the avatar hears it, or noise where it hears features of another kind."""
    spec = avatar.features
    if spec is None:
        return AudioTrack(np.zeros((0, 1, 1), np.float32))
    if spec.kind == KIND:
        return track_from_waveform(made_sound(), spec)
    shape = (int(MADE_SECONDS * 25), spec.window, spec.dim)
    return AudioTrack(np.random.default_rng(0).normal(size=shape).astype(np.float32))


def features(avatar: Avatar, waveform: Waveform, runs: int = 5) -> Iterator[Row]:
    """The whole sound divided by its frames, where features are computed here at all."""
    spec = avatar.features
    if spec is None or spec.kind != KIND:
        return
    frames = max(1, len(track_from_waveform(waveform, spec)))
    whole = measured("features", "numpy", partial(track_from_waveform, waveform), [spec] * runs)
    yield replace(
        whole,
        median_ms=whole.median_ms / frames,
        min_ms=whole.min_ms / frames,
        first_ms=whole.first_ms / frames,
        cpu_ms=whole.cpu_ms / frames,
    )


def deformation(avatar: Avatar, job: BakeJob, torch_too: bool) -> Iterator[Row]:
    moments = [task.moment for task in job.frames]
    for name, prepare in preparations(torch_too):
        deformer = prepare(avatar)
        yield measured("prepare", name, prepare, [avatar] * 2)
        yield measured("deform", name, partial(splats_at, deformer, job.track), moments)
        if avatar.frozen_gaussians is not None and name in BACKENDS:
            rough = [task.moment for task in roughly(job).frames]
            name = f"{name}, approximate"
            yield measured("deform", name, partial(splats_at, deformer, job.track), rough)


def rasterisation(avatar: Avatar, job: BakeJob, backend: Backend) -> Iterator[Row]:
    """The float64 oracle draws two frames, every other backend all; then a whole bake to
    PNG."""
    slow = backend.name == "reference"
    tasks = job.frames[:2] if slow else job.frames
    deformer = backend.prepare(avatar)
    heads = [(splats_at(deformer, job.track, task.moment), task.camera) for task in tasks]
    yield measured("rasterise", backend.name, lambda head: backend.rasterise(*head), heads)
    if slow:
        return
    bakes = {backend.name: (job, backend)}
    if backend.side_by_side > 1:
        bakes[f"{backend.name}, frame by frame"] = job, replace(backend, side_by_side=1)
    if avatar.frozen_gaussians is not None and backend.film is None:
        bakes[f"{backend.name}, approximate"] = roughly(job), backend
    for name, (whole, drawing) in bakes.items():
        with tempfile.TemporaryDirectory(prefix="egstalker-") as folder:
            frames = bake(replace(whole, directory=Path(folder)), drawing, avatar)
            next(frames)
            yield per_item("bake", name, next, [frames] * len(tasks))


def roughly(job: BakeJob) -> BakeJob:
    """The same, approximately (network/held.py)."""
    tasks = (replace(task, moment=replace(task.moment, approximate=True)) for task in job.frames)
    return replace(job, frames=tuple(tasks))


def encoding(avatar: Avatar, job: BakeJob, backend: Backend) -> Iterator[Row]:
    """A bake of which the pictures are there already: what no faster engine can beat."""
    image = picture(job, job.frames[0], avatar, backend.prepare(avatar), backend)
    pixels = to_uint8(image)

    def film(job: BakeJob, *_: object) -> Generator[Pixels, None, None]:
        yield from (pixels for _ in job.frames)

    with tempfile.TemporaryDirectory(prefix="egstalker-") as folder:
        there = replace(backend, film=film)
        frames = bake(replace(job, directory=Path(folder), file_format="png"), there, avatar)
        next(frames)
        yield per_item("bake", "encoder alone", next, [frames] * len(job.frames))


def writing(avatar: Avatar, job: BakeJob, backend: Backend) -> Iterator[Row]:
    image = picture(job, job.frames[0], avatar, backend.prepare(avatar), backend)
    with tempfile.TemporaryDirectory(prefix="egstalker-") as folder:
        for file_format in FILE_FORMATS:
            path = Path(folder) / f"frame.{file_format}"
            formats = [file_format] * len(job.frames)
            yield measured("write", file_format, partial(write_image, path, image), formats)
    rows = np.diff(to_uint8(image), axis=0)  # as PNG filters them
    for name, pack in packers().items():
        yield measured("pack png", name, partial(pack, rows), [LEVEL] * len(job.frames))
