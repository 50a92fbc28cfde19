"""How deformation and rasterising of the numba backend grow with threads, Gaussians and pixels,
and the authors' own order of arithmetic beside ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from importlib import util

import numpy as np

from ..avatar.record import Avatar
from ..backends import backend_named
from ..gaussians import Gaussians
from ..job import BakeJob
from ..network import reference
from ..network.deformer import splats_at
from ..timeline import row_of_seconds
from .rows import Row, measured

THREADS = (1, 2, 4)
COUNTS = (35_000, 60_000, 120_000)
BATCHES = (1, 8, 32)
SIZES = ((512, 512), (1920, 1080))


def resampled(avatar: Avatar, count: int) -> Avatar:
    """The avatar with `count` Gaussians, drawn from its own; the first, which are the agents of its
    attention, stay."""
    gaussians = avatar.gaussians
    kept = avatar.network.agents if avatar.network else 0
    kept = min(kept, count, len(gaussians))
    rng = np.random.default_rng(0)
    chosen = np.r_[:kept, rng.integers(0, len(gaussians), count - kept)]
    fields = ("means", "log_scales", "quats", "opacity_logits", "sh")
    picked = Gaussians(*(getattr(gaussians, name)[chosen] for name in fields))
    return replace(avatar, gaussians=picked, content_hash="")


def authors(avatar: Avatar, job: BakeJob, frames: int = 3) -> Iterator[Row]:
    """The network in the authors' order: planes sampled, agents and full attention computed and
    every head run apart in each frame. network/reference.py is written so (reference note §3, §9);
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
    from ..network.numba_network import prepare
    from ..render.tiles_numba import rasterise

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
    """torch, several frames at once, where it has a GPU; a CPU gains nothing from a batch."""
    network = avatar.network
    if network is None or not _cuda():
        return
    import torch

    from ..network.torch_network import prepare_torch

    deformer = prepare_torch(network, avatar.gaussians, "cuda")
    moment = job.frames[0].moment
    code = deformer.encode_audio(job.track.around(0))

    def run(size: int) -> None:
        codes = torch.tensor(np.tile(code, (size, 1)), device="cuda")
        eyes = torch.full((size,), float(moment.eye), dtype=torch.float64, device="cuda")
        poses = torch.tensor(np.tile(np.float32(moment.pose), (size, 1)), device="cuda")
        deformer.deform_tensors(codes, eyes, poses, 1.0)
        torch.cuda.synchronize()

    for size in BATCHES:
        row = measured("deform", f"torch batch {size}", run, [size] * 10)
        times = (row.median_ms, row.min_ms, row.first_ms, row.cpu_ms)
        median, least, first, cpu = (value / size for value in times)
        yield replace(row, median_ms=median, min_ms=least, first_ms=first, cpu_ms=cpu)


def _cuda() -> bool:
    if util.find_spec("torch") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())
