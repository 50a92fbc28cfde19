"""How deformation and rasterising of the numba backend grow with threads, Gaussians and pixels,
and the authors' own order of arithmetic beside ours."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib import util

from ..bake.backends import backend_named
from ..network.deformer import splats_at
from ..network.numpy import reference
from ..records.avatar import Avatar
from ..records.job import BakeJob
from ..records.timeline import row_of_seconds
from .rows import COUNTS, SIZES, Row, measured, resampled

THREADS = (1, 2, 4)


def authors(avatar: Avatar, job: BakeJob, frames: int = 3) -> Iterator[Row]:
    """The network in the authors' order: planes sampled, agents and full attention computed and
    every head run apart in each frame. network/reference.py is written so (docs/method.md §3, §9);
    here the same numpy runs it that runs ours."""
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


def batches(avatar: Avatar, job: BakeJob) -> Iterator[Row]:
    """torch, several frames at once, on the processor and on the GPU where there is one."""
    if util.find_spec("torch") is None:
        return
    from .batches_torch import devices, rows

    for device in devices():
        yield from rows(avatar, job, device)
