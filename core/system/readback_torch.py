"""Results of a GPU on their way to the processor, while the GPU goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

Pending = Callable[[], tuple[NDArray[Any], ...]]
"""Waits for a copy to be there and gives its arrays, which belong to the caller."""


class Readback:
    """Copies on a stream of its own into page-locked memory. torch keeps that memory and uses it
    again once its arrays are gone, so that there is never more than is in use at once. On a CPU
    nothing is copied."""

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def begin(self, *tensors: Tensor) -> Pending:
        """After what the present stream has been given so far. The tensors may be forgotten."""
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
