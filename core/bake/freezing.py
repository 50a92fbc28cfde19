"""Finds the Gaussians of an avatar that can be frozen, by comparing pictures.

Those that the network moves least are frozen first, as many as possible while every picture of the
measurement has a PSNR of `least` decibels or more against the exact one. The training camera sees
both over the background, while the avatar speaks a sound and its head and eyes move as in training;
in every fourth frame the eyes are open, half shut or shut instead.
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
from ..network.skinning import SkinnedBody
from ..records.audio_track import AudioTrack
from ..records.avatar import Avatar, FrozenGaussians, Measured
from ..records.gaussians import (
    Float32,
    Gaussians,
    activate,
    concatenated,
    flat_of,
    rows_of,
    with_rows,
)
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
HALF_MAX = 65504.0  # a file stores offsets as float16


def freeze(
    avatar: Avatar,
    track: AudioTrack,
    sound: str,
    backend: Backend,
    *,
    least: float = LEAST,
    frames: int = FRAMES,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> FrozenGaussians | None:
    """The Gaussians to freeze, None if fewer than a twentieth can be. sound: the track's name.
    backend: draws the pictures. least: dB. frames: of the measurement. on_progress: called with
    pictures done and their total. Raises ArgumentError for an avatar without a network and for a
    sound without length."""
    network, gaussians = avatar.network, avatar.gaussians
    if network is None:
        raise ArgumentError(f"avatar {avatar.name!r} is a still; it has no network that moves it")
    tasks = measured_tasks(avatar, len(track), frames)
    deformer = prepare(network, gaussians)
    body = None if avatar.body is None else SkinnedBody(avatar.body, avatar.camera.viewmat)

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
        if body is not None:
            exact = concatenated(exact, body.at(task.moment.pose, task.moment.body_pose))
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
        on_progress(done, len(tasks))
    if not qualities:
        return None
    most = max(qualities)
    rows, found = np.sort(order[:most]), qualities[most]
    measured = Measured(round(min(found), 2), round(float(np.mean(found)), 2), len(found), sound)
    return FrozenGaussians(rows, {name: offset[rows] for name, offset in offsets.items()}, measured)


def measured_tasks(avatar: Avatar, rows: int, frames: int) -> tuple[FrameTask, ...]:
    """`frames` moments evenly spaced over a sound of `rows` rows, fewer if it is shorter."""
    if rows < 1:
        raise ArgumentError("the sound has no length; give one that lasts a few seconds")
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
    """Range and mean of each Gaussian's movement over some frames."""

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
        """The Gaussians that can be frozen (no agents), by the size of the box that each centre
        stays in, the smallest first. Rankings that include size or opacity were worse by 2 dB
        and more."""
        reach = np.linalg.norm(self._high - self._low, axis=1)
        order = np.argsort(reach, kind="stable")
        return np.asarray(order[order >= self._first])

    def offsets(self) -> dict[str, Float32]:
        """Attribute -> (N, values), rounded to what a file stores."""
        return {
            name: np.clip(total / self._frames, -HALF_MAX, HALF_MAX)
            .astype(np.float16)
            .astype(np.float32)
            for name, total in self._sums.items()
        }
