"""Which Gaussians of an avatar may be held still, found by looking at the pictures.

Those that the network moves least are held first: as many as may be while every picture of the
measurement stays `least` decibels or more from the exact one. Both are drawn over the plates by the
training camera, while the avatar speaks a sound and its head and eyes move as in training; at every
fourth frame the eyes are open, half shut or shut instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..metrics.pictures import psnr
from ..network.architecture import architecture_of
from ..network.deformer import code_of_moment
from ..network.frozen import at_rest
from ..network.numpy.folded_network import prepare
from ..records.audio_track import AudioTrack
from ..records.avatar import Avatar, FrozenGaussians, Measured
from ..records.gaussians import Float32, Gaussians, activate, flat_of, rows_of, with_rows
from ..records.job import FrameTask
from ..records.timeline import ROW_RATE
from ..records.weights import NetworkWeights
from ..render.background import background_of
from .backends import Backend
from .plan import frames_of_sound, training_tasks

LEAST = 54.0  # dB, so that sounds and poses that were not measured stay above 50
FRAMES = 64
SHARES = tuple(k / 20 for k in range(1, 20))  # of the Gaussians
EYES = (0.0, 0.5, 1.0)
EYES_EVERY = 4  # frames
HALF_MAX = 65504.0  # offsets lie in the file as float16


def hold(
    avatar: Avatar,
    track: AudioTrack,
    sound: str,
    backend: Backend,
    *,
    least: float = LEAST,
    frames: int = FRAMES,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> FrozenGaussians | None:
    """What may be held, None where that is not even a twentieth of the Gaussians. sound: the
    track's name. backend: draws. least: dB. told: hears (pictures done, of how many). ArgumentError
    for a still and for a sound of no length."""
    network, gaussians = avatar.network, avatar.gaussians
    if network is None:
        raise ArgumentError(f"avatar {avatar.name!r} is a still; nothing of it moves")
    tasks = measured_tasks(avatar, len(track), frames)
    deformer = prepare(network, gaussians)

    def moved(task: FrameTask) -> Gaussians:
        code = code_of_moment(deformer, track, task.moment)
        return deformer.deform_raw(code, task.moment.eye, task.moment.pose, 1.0)

    movement = Movement(network, gaussians)
    for task in tasks:
        movement.add(moved(task))
    order, offsets = movement.stillest(), movement.offsets()
    rest = at_rest(gaussians, np.arange(len(gaussians)), offsets, 1.0)
    counts = (int(share * len(gaussians)) for share in SHARES)
    qualities: dict[int, list[float]] = {n: [] for n in counts if 0 < n <= len(order)}
    for done, task in enumerate(tasks, start=1):
        exact = activate(moved(task))
        background = None
        if avatar.background is not None:
            background = background_of(avatar.background, task.camera)
        truth = backend.rasterise(exact, task.camera, background)[..., :3]
        for count, found in list(qualities.items()):
            rows = order[:count]
            splats = with_rows(exact, rows, rows_of(rest, rows), offsets)
            picture = backend.rasterise(splats, task.camera, background)[..., :3]
            found.append(psnr(picture, truth))
            if found[-1] < least:
                del qualities[count]
        told(done, len(tasks))
    if not qualities:
        return None
    most = max(qualities)
    rows, found = np.sort(order[:most]), qualities[most]
    measured = Measured(round(min(found), 2), round(float(np.mean(found)), 2), len(found), sound)
    return FrozenGaussians(rows, {name: offset[rows] for name, offset in offsets.items()}, measured)


def measured_tasks(avatar: Avatar, rows: int, frames: int) -> tuple[FrameTask, ...]:
    """`frames` moments spread over a sound of `rows` rows, fewer where it is shorter."""
    if rows < 1:
        raise ArgumentError("the sound has no length; give one that lasts some seconds")
    whole = frames_of_sound(rows, ROW_RATE)
    picked = np.unique(np.linspace(whole[0], whole[-1], frames).astype(int))
    tasks = []
    for i, task in enumerate(training_tasks(avatar, [int(number) for number in picked])):
        if i % EYES_EVERY == 1:
            eye = EYES[i // EYES_EVERY % len(EYES)]
            task = replace(task, moment=replace(task.moment, eye=eye))
        tasks.append(task)
    return tuple(tasks)


class Movement:
    """How far each Gaussian of some frames is moved, and where to on average."""

    def __init__(self, network: NetworkWeights, gaussians: Gaussians) -> None:
        self._gaussians = gaussians
        architecture = architecture_of(network)
        self._first = min(architecture.agents, len(gaussians))
        self._low = np.full_like(gaussians.means, np.inf)
        self._high = np.full_like(gaussians.means, -np.inf)
        self._sums = {
            name: np.zeros((len(gaussians), width)) for name, width in architecture.widths.items()
        }
        self._frames = 0

    def add(self, moved: Gaussians) -> None:
        self._frames += 1
        np.minimum(self._low, moved.means, out=self._low)
        np.maximum(self._high, moved.means, out=self._high)
        there, here = flat_of(moved), flat_of(self._gaussians)
        for name, total in self._sums.items():
            width = total.shape[1]
            total += there[name][:, :width] - here[name][:, :width]

    def stillest(self) -> NDArray[np.int64]:
        """The Gaussians that may be held (no agents), those first whose centre stays within the
        smallest box. Whatever ranks by size or opacity, too, was worse by 2 dB and more."""
        reach = np.linalg.norm(self._high - self._low, axis=1)
        order = np.argsort(reach, kind="stable")
        return np.asarray(order[order >= self._first])

    def offsets(self) -> dict[str, Float32]:
        """attribute -> (N, values), rounded as a file rounds them."""
        return {
            name: np.clip(total / self._frames, -HALF_MAX, HALF_MAX)
            .astype(np.float16)
            .astype(np.float32)
            for name, total in self._sums.items()
        }
