"""One avatar on a device: single frames for the viewport, batches for a bake, from one network.

On CUDA a single frame is a CUDA graph: one call starts its thirty kernels.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...records.arrays import Float32
from ...records.audio_track import AudioTrack
from ...records.gaussians import Gaussians, Splats, activate
from ...records.weights import NetworkWeights
from ..checks import check_weights
from ..deformer import Deformer
from ..numpy.audio_net import check_windows
from .frames import FastFrames, Frames, Inputs, PlainFrames, frames_of
from .network import RawTensors, TorchNetwork, raw_tensors

CODES_AT_ONCE = 64  # rows of a track; fixed, so that a row's code is always the same
WARM_UPS = 2  # libraries initialise themselves at their first calls, which cannot be captured


class Replayed:
    """`Frames` of a batch of one as a CUDA graph. Its result is valid until the next call. If no
    graph can be captured, `reason` says why and frames are computed without one."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._graph: torch.cuda.CUDAGraph | None = None
        self._given: tuple[Inputs, Tensor] | None = None
        self._moved: RawTensors | None = None
        self.reason = ""

    def __call__(self, inputs: Inputs, strengths: Tensor) -> RawTensors:
        if self.reason:
            return self._frames(inputs, strengths)
        if self._given is None:
            present = torch.cuda.current_stream(strengths.device)
            try:
                self._capture(inputs, strengths)
            except RuntimeError as error:
                lines = str(error).splitlines() or [type(error).__name__]
                self.reason = f"no CUDA graph: {lines[0]}"
                # After a failed capture torch leaves the capturing stream as the current one.
                torch.cuda.set_stream(present)
                torch.cuda.synchronize(strengths.device)
                return self._frames(inputs, strengths)
        assert self._given is not None and self._graph is not None and self._moved is not None
        kept, kept_strengths = self._given
        for place, value in zip(kept, inputs, strict=True):
            place.copy_(value)
        kept_strengths.copy_(strengths)
        self._graph.replay()
        return self._moved

    def _capture(self, inputs: Inputs, strengths: Tensor) -> None:
        kept = tuple(value.clone() for value in inputs), strengths.clone()
        side = torch.cuda.Stream(strengths.device)
        side.wait_stream(torch.cuda.current_stream(strengths.device))
        with torch.cuda.stream(side):
            for _ in range(WARM_UPS):
                self._frames(*kept)
        torch.cuda.current_stream(strengths.device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # Another thread may use the device meanwhile: the viewport's, or one that warms up. torch's
        # default capture stream is on the device that was current when the first graph was made.
        with torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):
            self._moved = self._frames(*kept)
        self._graph, self._given = graph, kept


class FastDeformer(Deformer):
    """Made by `prepare_fast`. Not thread-safe."""

    def __init__(self, network: TorchNetwork, frames: Frames, canonical: RawTensors) -> None:
        self._network, self._frames = network, frames
        self.device = canonical.means.device
        self._codes: WeakKeyDictionary[AudioTrack, dict[int, Float32]] = WeakKeyDictionary()
        graph = self.device.type == "cuda" and isinstance(frames, FastFrames)
        self._single = Replayed(frames) if graph else None
        self._side = None
        if self.device.type == "cuda":
            # Sound is encoded on its own stream and does not wait for running batches.
            self._side = torch.cuda.Stream(self.device)
            self._side.wait_stream(torch.cuda.current_stream(self.device))

    @property
    def notes(self) -> tuple[str, ...]:
        """The reason why single frames run without a CUDA graph."""
        return (self._single.reason,) if self._single is not None and self._single.reason else ()

    def encode_audio(self, windows: Float32) -> Float32:
        """windows (8, D, W) -> code (32,). Raises FeatureMismatchError."""
        check_windows(self._network.audio_dim, windows)
        return self._encoded(windows[None])[0]

    def code_of_row(self, track: AudioTrack, row: int) -> Float32:
        """(32,) `encode_audio` of the track at that row, computed together with its neighbours and
        kept for as long as the track lives."""
        kept = self._codes.setdefault(track, {})
        part, place = divmod(row, CODES_AT_ONCE)
        if part not in kept:
            first = part * CODES_AT_ONCE
            windows = np.stack([track.around(first + k) for k in range(CODES_AT_ONCE)])
            check_windows(self._network.audio_dim, windows[0])
            kept[part] = self._encoded(windows)
        return kept[part][place]

    def deform(self, code: Float32, eye: float, pose: Float32, strength: float) -> Splats:
        return activate(self.deform_raw(code, eye, pose, strength))

    def deform_raw(self, code: Float32, eye: float, pose: Float32, strength: float) -> Gaussians:
        """`deform` before activation."""
        eyes, poses = np.array([eye], np.float64), np.asarray(pose, np.float32)[None]
        inputs = self.prepared(self._put(code[None]), self._put(eyes), self._put(poses))
        strengths = self._put(np.array([strength], np.float32))
        run = self._frames if self._single is None else self._single
        return _on_host(run(inputs, strengths))

    def prepared(self, codes: Tensor, eyes: Tensor, poses: Tensor) -> Inputs:
        """codes (B, 32) and poses (B, 12) float32, eyes (B,) float64, on the device -> the
        inputs of `moved`."""
        return self._frames.prepared(codes, eyes, poses)

    def moved(self, inputs: Inputs, strengths: Tensor) -> RawTensors:
        """strengths (B,) float32 on the device -> raw values there, see frames.Frames."""
        return self._frames(inputs, strengths)

    def _encoded(self, windows: Float32) -> Float32:
        with torch.no_grad(), torch.cuda.stream(self._side):  # None: the current one
            codes = self._network.encode_audio(self._put(np.asarray(windows, np.float32)))
            return np.asarray(codes.cpu().numpy(), np.float32)

    def _put(self, array: NDArray[np.floating]) -> Tensor:
        return torch.from_numpy(np.array(array)).to(self.device)


def prepare_fast(
    weights: NetworkWeights,
    gaussians: Gaussians,
    device: str = "cpu",
    *,
    half: bool = False,
) -> FastDeformer:
    """device: "cpu", "cuda" or "cuda:1". half: see frames.FastFrames. Raises CheckpointError."""
    check_weights(weights, gaussians)
    network = TorchNetwork(weights).to(device).requires_grad_(False)
    canonical = raw_tensors(gaussians, device)
    return FastDeformer(network, frames_of(weights, network, canonical, half), canonical)


def prepare_plain(
    weights: NetworkWeights, gaussians: Gaussians, device: str = "cpu"
) -> FastDeformer:
    """`prepare_fast` without its re-association: `TorchNetwork.deform` frame by frame, for `verify`
    and the bench."""
    check_weights(weights, gaussians)
    network = TorchNetwork(weights).to(device).requires_grad_(False)
    canonical = raw_tensors(gaussians, device)
    return FastDeformer(network, PlainFrames(network, canonical), canonical)


def _on_host(moved: RawTensors) -> Gaussians:
    """One frame's raw values on the host. From a GPU: one asynchronous copy through pinned
    memory."""
    first = [value[0] for value in moved]
    if not first[0].is_cuda:
        return Gaussians(*(value.numpy() for value in first))
    flat = torch.cat([value.reshape(-1) for value in first])
    host = torch.empty(flat.shape, dtype=flat.dtype, pin_memory=True)
    host.copy_(flat, non_blocking=True)
    torch.cuda.current_stream(flat.device).synchronize()
    parts = host.split([value.numel() for value in first])
    return Gaussians(
        *(part.view(value.shape).numpy() for part, value in zip(parts, first, strict=True))
    )
