"""torch on a device, several frames at once: the authors' order of arithmetic, the plain network,
the fused one, rasterisers, and all from sound to bytes. Milliseconds a frame of the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..bake.backends import Backend, backend_named
from ..bake.film_torch import Drawer
from ..bake.loop import pictures
from ..errors import EngineError, MissingPackageError
from ..network.deformer import Deformer
from ..network.torch.frames import FastFrames, Frames, PlainFrames, frames_of
from ..network.torch.network import TorchNetwork, raw_tensors
from ..records.avatar import Avatar
from ..records.job import BakeJob
from ..records.timeline import row_of_seconds
from ..records.weights import NetworkWeights
from ..render.cuda.scene import Scene, scene_of_raw
from ..render.cuda.views import view_table
from ..system.gpu_torch import out_of_memory, unusable
from .rows import COUNTS, SIZES, Row, measured, resampled

Item = TypeVar("Item")

BATCHES = {"cpu": (1, 4), "cuda": (1, 8, 32, 64)}
RUNS = {"cpu": 3, "cuda": 10}
GPU_BACKENDS = ("nvrtc", "gsplat")
FILM = 512  # frames


def devices() -> list[str]:
    return ["cpu", "cuda"] if unusable() is None else ["cpu"]


def rows(avatar: Avatar, job: BakeJob, device: str) -> Iterator[Row]:
    network = avatar.network
    if network is None:
        return
    inputs = Inputs(avatar, network, job, device)
    for batch in BATCHES[device]:
        with _where_it_fits():
            yield inputs.row("authors' order", batch, inputs.authors)
    for name, frames in _variants(inputs):
        for batch in BATCHES[device]:
            with _where_it_fits():
                yield inputs.row(name, batch, inputs.deform(frames))
    if device == "cuda":
        for name in GPU_BACKENDS:
            try:
                backend = backend_named(name)
            except MissingPackageError:
                continue  # bench says so where it lists the backends
            yield from drawing(inputs, backend, _drawer(name))
            yield from growth(inputs, backend)


@contextmanager
def _where_it_fits() -> Iterator[None]:
    """A batch that the GPU has too little memory for has no row."""
    try:
        yield
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        torch.cuda.empty_cache()


def _drawer(name: str) -> Drawer:
    from ..render.cuda.gsplat_drawer import GsplatDrawer
    from ..render.cuda.nvrtc import drawer

    return GsplatDrawer() if name == "gsplat" else drawer()


class Inputs:
    """An avatar on a device, and frames of the job, as many as a batch wants."""

    def __init__(self, avatar: Avatar, weights: NetworkWeights, job: BakeJob, device: str) -> None:
        self.avatar, self.weights, self.job, self.device = avatar, weights, job, device
        self.network = TorchNetwork(weights).to(device).requires_grad_(False)
        self.canonical = raw_tensors(avatar.gaussians, device)
        tasks = job.frames
        windows = [job.track.around(row_of_seconds(task.moment.seconds)[0]) for task in tasks]
        self._windows = self._put(np.stack(windows))
        self._eyes = self._put(np.array([task.moment.eye for task in tasks], np.float64))
        self._poses = self._put(np.stack([np.float32(task.moment.pose) for task in tasks]))
        self.views = self._put(view_table([task.camera for task in tasks]))

    def row(self, name: str, batch: int, work: Callable[[Tensor], object]) -> Row:
        """work: of the frames with those indices."""
        label = f"torch {self.device.upper()} {name} x{batch}"
        indices = [self.chosen(k, batch) for k in self.runs]
        return _of_a_frame(measured("deform", label, self.waited(work), indices), batch)

    def chosen(self, first: int, batch: int) -> Tensor:
        """Indices of that many frames, over and over."""
        return torch.arange(first, first + batch, device=self.device) % len(self.job.frames)

    @property
    def runs(self) -> range:
        return range(RUNS[self.device] + 1)

    def authors(self, chosen: Tensor) -> object:
        """As the authors' code: planes sampled, agents and full attention, every head apart."""
        with torch.no_grad():
            return self.network(
                self.canonical, self._windows[chosen], self._eyes[chosen], self._poses[chosen]
            )

    def prepared(self, frames: Frames, chosen: Tensor) -> tuple[Tensor, ...]:
        with torch.no_grad():
            codes = self.network.encode_audio(self._windows[chosen])
        return frames.prepared(codes, self._eyes[chosen], self._poses[chosen])

    def deform(self, frames: Frames) -> Callable[[Tensor], object]:
        ones = torch.ones(max(BATCHES[self.device]), device=self.device)

        def work(chosen: Tensor) -> object:
            return frames(self.prepared(frames, chosen), ones[: len(chosen)])

        return work

    def waited(self, work: Callable[[Item], object]) -> Callable[[Item], object]:
        """The same, and all that it gave to the device done."""

        def run(item: Item) -> None:
            work(item)
            if self.device == "cuda":
                torch.cuda.synchronize()

        return run

    def _put(self, array: np.ndarray[Any, Any]) -> Tensor:
        return torch.from_numpy(array).to(self.device)


def _variants(inputs: Inputs) -> Iterator[tuple[str, Frames]]:
    given = inputs.weights, inputs.network, inputs.canonical
    yield "plain", PlainFrames(inputs.network, inputs.canonical)
    frames = frames_of(*given)
    if not isinstance(frames, FastFrames):
        return
    yield "fused", frames
    if inputs.device == "cuda":  # a CPU emulates half precision
        yield "half", frames_of(*given, half=True)


def drawing(inputs: Inputs, backend: Backend, drawer: Drawer, frames: int = FILM) -> Iterator[Row]:
    """Rasterising alone, then whole pictures in bytes, read back: a film of so many frames."""
    network = frames_of(inputs.weights, inputs.network, inputs.canonical)
    camera = inputs.job.frames[0].camera
    size = (camera.width, camera.height)
    for batch in BATCHES[inputs.device]:
        with _where_it_fits():
            chosen = inputs.chosen(0, batch)
            ones = torch.ones(batch, device=inputs.device)
            scene = scene_of_raw(network(inputs.prepared(network, chosen), ones))
            views = inputs.views[chosen].contiguous()

            def draw(_: object, scene: Scene = scene, views: Tensor = views) -> None:
                drawer.draw(scene, views, size, in_bytes=True)

            work = inputs.waited(draw)
            yield _of_a_frame(
                measured("rasterise", f"{backend.name} x{batch}", work, inputs.runs), batch
            )
    for name, half in ((backend.name, False), (f"{backend.name} half", True)):
        precise = with_precision(backend, inputs.device, half)
        yield film(inputs.avatar, inputs.job, precise, name, frames)


def growth(
    inputs: Inputs, backend: Backend, counts: Sequence[int] = COUNTS, frames: int = FILM // 4
) -> Iterator[Row]:
    """Films of more Gaussians and more pixels, drawn from the avatar's own."""
    precise = with_precision(backend, inputs.device, half=False)
    for count in counts:
        avatar = resampled(inputs.avatar, count)
        for width, height in SIZES:
            tasks = tuple(
                replace(task, camera=task.camera.resized(width, height))
                for task in inputs.job.frames
            )
            name = f"{backend.name} {count / 1000:.3g}k {height}p"
            with suppress(EngineError):  # too little memory
                yield film(avatar, replace(inputs.job, frames=tasks), precise, name, frames)


def with_precision(backend: Backend, device: str, half: bool) -> Backend:
    from ..network.torch.deformer import prepare_fast

    def prepare(avatar: Avatar) -> Deformer:
        assert avatar.network is not None
        return prepare_fast(avatar.network, avatar.gaussians, device, half=half)

    return replace(backend, prepare=prepare)


def film(avatar: Avatar, job: BakeJob, backend: Backend, name: str, frames: int = FILM) -> Row:
    """From sound to bytes on the processor, without files: `frames` of the job over and over, after
    as many that fill caches and compile."""
    tasks = tuple(job.frames[k % len(job.frames)] for k in range(frames))
    deformer = backend.prepare(avatar)

    def whole(_: int) -> None:
        for _picture in pictures(replace(job, frames=tasks), avatar, deformer, backend, True):
            pass

    return _of_a_frame(measured("film", name, whole, range(3)), frames)


def _of_a_frame(row: Row, batch: int) -> Row:
    times: Sequence[float] = (row.median_ms, row.min_ms, row.first_ms, row.cpu_ms)
    median, least, first, cpu = (value / batch for value in times)
    return replace(row, median_ms=median, min_ms=least, first_ms=first, cpu_ms=cpu)
