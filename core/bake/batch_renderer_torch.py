"""A job's pictures in batches on one device, in order. Inside a batch (network, rasteriser, bytes)
nothing waits for the device; one batch is read back and encoded while the next is computed."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ..errors import EngineError, OutputError
from ..images.image import Image, Pixels
from ..images.layers import Layers
from ..network.deformer import Deformer, code_of_moment
from ..network.torch.deformer import FastDeformer
from ..network.torch.frames import Inputs
from ..network.torch.network import RawTensors, raw_tensors
from ..network.torch.skinning import BodyTensors, Motion, motion_arrays
from ..records.avatar import Avatar
from ..records.job import BakeJob, FrameTask
from ..render.cuda.drawer import Drawer
from ..render.cuda.scene import scene_of_raw
from ..render.cuda.views import view_table
from ..render.layers import layers_of
from ..render.picture import check
from ..system.gpu_torch import out_of_memory
from ..system.readback_torch import Pending, Readback
from .backgrounds import background_for

BATCH = 32  # frames at once
SMALL_BATCH, SMALL_GPU = 8, 7.5e9  # on a GPU of fewer bytes
MOST_PIXELS = 1 << 24  # of a batch: 32 pictures of 512 x 512, 8 of 1920 x 1080
MOST_GAUSSIANS = 1 << 22  # of a batch: 32 frames of 131,072
AT_ONCE = 8  # batches whose sound, eyes and poses are prepared together


def batch_for(device: torch.device) -> int:
    """The batch size for the GPU's total memory, used or not, since the last bits of a product may
    depend on the size."""
    if device.type != "cuda":
        return BATCH
    small = torch.cuda.get_device_properties(device).total_memory < SMALL_GPU
    return SMALL_BATCH if small else BATCH


@dataclass(frozen=True, eq=False)
class Batch:
    """tasks: without the copies that pad the batch. inputs, strengths, views: first axis the
    batch. motion: the body's, see torch/skinning.py; None for a head alone."""

    tasks: tuple[FrameTask, ...]
    inputs: Inputs
    strengths: Tensor
    views: Tensor
    motion: Motion | None

    @property
    def size(self) -> tuple[int, int]:
        camera = self.tasks[0].camera
        return camera.width, camera.height


@dataclass(frozen=True, eq=False)
class Sent:
    """A batch that the device works on."""

    batch: Batch
    capacity: int
    pending: Pending


class BatchRenderer:
    """The pictures of one job. Batches are always full, padded with copies of their last frame: so
    a frame goes through products of the same shape wherever it is in the job and however many
    frames the job has. On a CPU its bits are then the same (tests/core/test_batch_renderer.py)."""

    def __init__(
        self,
        job: BakeJob,
        avatar: Avatar,
        deformer: Deformer,
        drawer: Drawer,
        device: torch.device,
        in_bytes: bool,
        batch: int | None = None,
    ) -> None:
        """deformer: a FastDeformer on that device; with another one the avatar does not move.
        batch: the most frames at once, None for `batch_for` the device."""
        self._job, self._avatar, self._drawer = job, avatar, drawer
        self._device, self._in_bytes = device, in_bytes
        self._batch = batch or batch_for(device)
        self._deformer = deformer if isinstance(deformer, FastDeformer) else None
        self._skinned = deformer.body
        self._still = RawTensors(*(v[None] for v in raw_tensors(avatar.gaussians, device)))
        self._body = None if avatar.body is None else BodyTensors(avatar.body, device)
        self._readback = Readback(device)
        self._background: tuple[tuple[int, int], Tensor] | None = None

    def pictures(self) -> Generator[Image | Pixels | Layers, None, None]:
        """One for each task in order: uint8 (H, W, 4) with straight alpha where `in_bytes`, else an
        Image, or Layers if the job's files have some. Each belongs to the caller. Raises
        OutputError for a picture in bytes that is not finite, EngineError if the GPU has too little
        memory, ArgumentError."""
        before: Sent | None = None
        for batch in self._batches():
            sent = self._send(batch)
            if before is not None:
                yield from self._received(before)
            before = sent
        if before is not None:
            yield from self._received(before)

    def _batches(self) -> Iterator[Batch]:
        def size(task: FrameTask) -> tuple[int, int]:
            return task.camera.width, task.camera.height

        for (width, height), run in groupby(self._job.frames, size):
            tasks = tuple(run)
            gaussians = max(1, self._avatar.splats)
            most = min(MOST_PIXELS // (width * height), MOST_GAUSSIANS // gaussians, self._batch)
            batch = max(1, most)
            for first in range(0, len(tasks), AT_ONCE * batch):
                yield from self._prepared(tasks[first : first + AT_ONCE * batch], batch)

    def _prepared(self, tasks: tuple[FrameTask, ...], batch: int) -> Iterator[Batch]:
        """Prepares AT_ONCE batches together, whatever the number of tasks."""
        moments = [task.moment for task in tasks]

        def filled(values: ArrayLike, kind: type[np.floating] = np.float32) -> Tensor:
            array = np.asarray(values, kind)
            rest = np.repeat(array[-1:], AT_ONCE * batch - len(array), axis=0)
            return self._put(np.concatenate([array, rest]))

        inputs: Inputs = ()
        if self._deformer is not None:
            codes = [code_of_moment(self._deformer, self._job.track, moment) for moment in moments]
            eyes = filled([moment.eye for moment in moments], np.float64)
            poses = filled([moment.pose for moment in moments])
            inputs = self._deformer.prepared(filled(codes), eyes, poses)
        strengths = filled([moment.strength for moment in moments])
        views = filled(
            view_table(
                [task.camera for task in tasks],
                [moment.opacity for moment in moments],
                [moment.colour_gain for moment in moments],
            )
        )
        motion = None
        if (body := self._skinned) is not None:
            motions = [body.motion(moment.pose, moment.body_pose) for moment in moments]
            points, turns = motion_arrays(motions)
            motion = filled(points), filled(turns)
        for first in range(0, len(tasks), batch):
            rows = slice(first, first + batch)
            mine = tuple(value[rows] for value in inputs)
            turned = None if motion is None else (motion[0][rows], motion[1][rows])
            yield Batch(tasks[rows], mine, strengths[rows], views[rows], turned)

    def _send(self, batch: Batch) -> Sent:
        """Start the batch on the device, without waiting. Raises EngineError."""
        try:
            return self._sent(batch)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            width, height = batch.size
            raise EngineError(
                f"the GPU has too little memory for {len(batch.views)} frames of {width}x{height} "
                "at once; close what else uses it, or choose another backend"
            ) from None

    def _sent(self, batch: Batch) -> Sent:
        moved = self._still
        if self._deformer is not None:
            moved = self._deformer.moved(batch.inputs, batch.strengths)
        if self._body is not None and batch.motion is not None:
            moved = self._body.behind(moved, batch.motion)
        scene = scene_of_raw(moved)
        degree = self._job.sh_degree
        layered = self._job.layered
        drawn = self._drawer.draw(
            scene, batch.views, batch.size, self._behind(batch), degree, self._in_bytes, layered
        )
        depths = () if drawn.depths is None else (drawn.depths,)
        pending = self._readback.begin(drawn.pictures, drawn.broken, drawn.pairs, *depths)
        return Sent(batch, drawn.capacity, pending)

    def _received(self, sent: Sent) -> Iterator[Image | Pixels | Layers]:
        pictures, broken, pairs, *depths = sent.pending()
        while pairs > sent.capacity:  # the list was too short: draw again with a longer one
            shape = (len(sent.batch.views), self._avatar.splats, *sent.batch.size)
            self._drawer.learn(shape, int(pairs))
            sent = self._send(sent.batch)
            pictures, broken, pairs, *depths = sent.pending()
        for row, (task, picture, bad) in enumerate(
            zip(sent.batch.tasks, pictures, broken, strict=False)
        ):
            if bad and self._in_bytes:
                name = self._job.path_of(task).name
                raise OutputError(f"{name}: the picture holds values that are not finite numbers")
            if depths:
                background = background_for(self._job, self._avatar, task.camera)
                picture = layers_of(picture, depths[0][row], task.camera, background)
            yield picture

    def _behind(self, batch: Batch) -> Tensor | None:
        """The background on the device, kept for the next batch; layers are laid over theirs after
        the readback."""
        camera = batch.tasks[0].camera
        background = background_for(self._job, self._avatar, camera)
        check(camera, background, self._job.sh_degree)
        if background is None or self._job.layered:
            return None
        if self._background is None or self._background[0] != batch.size:
            self._background = batch.size, self._put(background)
        return self._background[1]

    def _put(self, array: NDArray[np.floating]) -> Tensor:
        """A copy on the device, through page-locked memory, so that nothing waits for it."""
        tensor = torch.from_numpy(np.array(array))
        if self._device.type != "cuda":
            return tensor
        return tensor.pin_memory().to(self._device, non_blocking=True)
