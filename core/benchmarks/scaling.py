"""The time of a frame by threads, Gaussians and pixels, and in the authors' order of operations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial

from ..bake.backends import Backend, backend_named
from ..bake.loop import pictures
from ..errors import EngineError
from ..network.deformer import splats_at
from ..network.numpy import reference
from ..records.avatar import Avatar
from ..records.job import BakeJob
from ..records.timeline import row_of_seconds
from .rows import COUNTS, SIZES, Row, measured, per_item, resampled

THREADS = (1, 2, 4)
BATCHED = 128  # frames


def authors(avatar: Avatar, job: BakeJob, frames: int = 3) -> Iterator[Row]:
    """The network in the authors' order, in numpy: each frame samples the planes, computes agents
    and full attention, and runs every head separately (network/numpy/reference.py, docs/method.md
    §3, §9)."""
    network = avatar.network
    if network is None:
        return
    tasks = job.frames[: frames + 1]

    def forward(index: int) -> object:
        moment = tasks[index].moment
        windows = job.track.around(row_of_seconds(moment.seconds)[0])
        return reference.forward(network, avatar.gaussians, windows, moment.eye, moment.pose)

    yield measured("deform", "authors' order", forward, range(len(tasks)))


def threads(avatar: Avatar, job: BakeJob) -> Iterator[Row]:
    """Needs numba; see `backends.backend_named`."""
    backend_named("numba")
    from ..network.numba.network import prepare
    from ..render.numba.rasterise import rasterise

    if avatar.network is None:
        return
    moments = [task.moment for task in job.frames]
    for count in THREADS:
        deformer = prepare(avatar.network, avatar.gaussians, threads=count)
        name = f"{count} thread{'s' * (count > 1)}"
        yield measured("deform", name, partial(splats_at, deformer, job.track), moments)
        splats = splats_at(deformer, job.track, moments[0])
        draw = partial(rasterise, splats, threads=count)
        for width, height in SIZES:
            camera = job.frames[0].camera.resized(width, height)
            yield measured(f"rasterise {height}p", name, draw, [camera] * len(moments))


def counts(avatar: Avatar, job: BakeJob) -> Iterator[Row]:
    """Numba on all cores, with more and fewer Gaussians."""
    backend = backend_named("numba")
    moments = [task.moment for task in job.frames]
    cameras = [task.camera for task in job.frames]
    for count in COUNTS:
        deformer = backend.prepare(resampled(avatar, count))
        name = f"numba {count // 1000}k"
        yield measured("deform", name, partial(splats_at, deformer, job.track), moments)
        splats = splats_at(deformer, job.track, moments[0])
        yield measured("rasterise", name, partial(backend.rasterise, splats), cameras)


def sizes(avatar: Avatar, job: BakeJob, backend: Backend) -> Iterator[Row]:
    """Whole pictures as a bake computes them, in bytes but not written, with more Gaussians and
    more pixels. backend: one that draws in batches."""
    frames = [job.frames[k % len(job.frames)] for k in range(BATCHED)]
    for count in (len(avatar.gaussians), *COUNTS):
        larger = resampled(avatar, count)
        deformer = backend.prepare(larger)
        for width, height in SIZES:
            tasks = (replace(task, camera=task.camera.resized(width, height)) for task in frames)
            whole = replace(job, frames=tuple(tasks))
            name = f"{backend.label} {count / 1000:.3g}k {height}p"
            with suppress(EngineError):  # too little memory
                drawn = pictures(whole, larger, deformer, backend, in_bytes=True)
                yield per_item("picture", name, next, [drawn] * BATCHED)
