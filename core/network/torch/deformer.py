"""One avatar on a device: single frames for the viewport, batches for a bake, from one network."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...records.audio_track import AudioTrack
from ...records.gaussians import Gaussians, Splats, activate
from ...records.weights import NetworkWeights
from ..checks import check_weights
from ..numpy.audio_net import check_windows
from ..numpy.basics import Float32
from .frames import FastFrames, Frames, Inputs, frames_of
from .graph import Replayed
from .network import RawTensors, TorchNetwork, raw_tensors

CODES_AT_ONCE = 64  # rows of a track; fixed, so that a row's code does not depend on who asks


class FastDeformer:
    """Implements `Deformer`; made by `prepare_fast`. Not for two threads at a time."""

    def __init__(self, network: TorchNetwork, frames: Frames, canonical: RawTensors) -> None:
        self._network, self._frames = network, frames
        self.device = canonical.means.device
        self._codes: WeakKeyDictionary[AudioTrack, dict[int, Float32]] = WeakKeyDictionary()
        graph = self.device.type == "cuda" and isinstance(frames, FastFrames)
        self._single = Replayed(frames) if graph else None
        self._side = None
        if self.device.type == "cuda":
            # Sound is encoded beside the batches in hand, so that it need not wait for them.
            self._side = torch.cuda.Stream(self.device)
            self._side.wait_stream(torch.cuda.current_stream(self.device))

    @property
    def notes(self) -> tuple[str, ...]:
        """Why something fast is not used, where it is not."""
        of_graph = self._single.reason if self._single is not None else ""
        return tuple(text for text in (getattr(self._frames, "reason", ""), of_graph) if text)

    def encode_audio(self, windows: Float32) -> Float32:
        """windows (8, D, W) -> code (32,). Raises FeatureMismatchError."""
        check_windows(self._network.audio_dim, windows)
        return self._encoded(windows[None])[0]

    def code_of_row(self, track: AudioTrack, row: int) -> Float32:
        """(32,) `encode_audio` of the track at that row, computed with its neighbours and kept as
        long as the track lives."""
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
        """As `deform`, before activation."""
        eyes, poses = np.array([eye], np.float64), np.asarray(pose, np.float32)[None]
        inputs = self.prepared(self._put(code[None]), self._put(eyes), self._put(poses))
        strengths = self._put(np.array([strength], np.float32))
        run = self._frames if self._single is None else self._single
        return _on_host(run(inputs, strengths))

    def prepared(self, codes: Tensor, eyes: Tensor, poses: Tensor) -> Inputs:
        """codes (B, 32) and poses (B, 12) float32, eyes (B,) float64, on the device -> what `moved`
        takes."""
        return self._frames.prepared(codes, eyes, poses)

    def moved(self, inputs: Inputs, strengths: Tensor) -> RawTensors:
        """strengths (B,) float32 on the device -> raw values there, see frames.Frames."""
        return self._frames(inputs, strengths)

    def _encoded(self, windows: Float32) -> Float32:
        with torch.no_grad(), torch.cuda.stream(self._side):  # None: as it is
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
    compiled: bool = False,
) -> FastDeformer:
    """device: "cpu", "cuda" or "cuda:1". half, compiled: see frames.FastFrames. Raises
    CheckpointError."""
    check_weights(weights, gaussians)
    network = TorchNetwork(weights).to(device).requires_grad_(False)
    canonical = raw_tensors(gaussians, device)
    return FastDeformer(network, frames_of(weights, network, canonical, half, compiled), canonical)


def _on_host(moved: RawTensors) -> Gaussians:
    """Of a batch of one. From a GPU in one copy, through memory that it can write to itself."""
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
