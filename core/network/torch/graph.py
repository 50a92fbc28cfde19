"""One frame as a CUDA graph: its thirty kernels started by one call."""

from __future__ import annotations

import torch
from torch import Tensor

from .frames import Frames, Inputs
from .network import RawTensors

WARM_UPS = 2  # libraries set themselves up at their first calls, which may not be captured


class Replayed:
    """Calls like `Frames`, for a batch of one. Its result lives until the next call. Where a graph
    cannot be captured, `reason` says why, and the frames are computed as they are."""

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
                # torch leaves the stream that it captured on as the present one when it fails.
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
        # own stream for this is on whatever device was present when the first graph was made.
        with torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):
            self._moved = self._frames(*kept)
        self._graph, self._given = graph, kept
