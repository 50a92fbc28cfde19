"""Copies results from the GPU to the CPU while the GPU goes on computing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

Pending = Callable[[], tuple[NDArray[Any], ...]]
"""Waits for a copy and returns its arrays, which belong to the caller."""


class Readback:
    """Copies on its own stream into page-locked memory. torch reuses that memory once its arrays
    are freed, so there is never more of it than is in use at once. On a CPU nothing is copied."""

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def begin(self, *tensors: Tensor) -> Pending:
        """Copy the tensors after the current stream's work so far. The caller may drop them."""
        side = self._stream
        if side is None:
            return lambda: tuple(tensor.numpy() for tensor in tensors)
        side.wait_stream(torch.cuda.current_stream(side.device))
        hosts = []
        with torch.cuda.stream(side):
            for tensor in tensors:
                host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
                host.copy_(tensor, non_blocking=True)
                tensor.record_stream(side)  # its memory is not reused before the copy is done
                hosts.append(host)
            done = torch.cuda.Event()
            done.record(side)

        def wait() -> tuple[NDArray[Any], ...]:
            done.synchronize()
            return tuple(host.numpy() for host in hosts)

        return wait
