"""What a device can do at best through torch: products and copies."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

SIDE = {"cpu": 1024, "cuda": 8192}  # of the matrices
COPIED = {"cpu": 1 << 26, "cuda": 1 << 30}  # bytes, more than caches hold
TRIES = 5


@dataclass(frozen=True)
class DeviceCeilings:
    """gemm_gflops: float32 products as torch multiplies by default (no TF32). half_gflops: float16
    ones, 0 where the device emulates them. copy_gbs: read and written bytes together."""

    device: str
    gemm_gflops: float
    half_gflops: float
    copy_gbs: float


def device_ceilings(device: str) -> DeviceCeilings:
    """device: "cpu" or "cuda"."""
    cuda = device == "cuda"
    source = torch.ones(COPIED[device] // 4, device=device)
    target = torch.empty_like(source)
    copying = _least(lambda: target.copy_(source), cuda)
    return DeviceCeilings(
        device=torch.cuda.get_device_name() if cuda else "CPU",
        gemm_gflops=_product(device, torch.float32),
        half_gflops=_product(device, torch.float16) if cuda else 0.0,
        copy_gbs=2 * COPIED[device] / copying / 1e9,
    )


def _product(device: str, dtype: torch.dtype) -> float:
    side = SIDE[device]
    matrix = torch.ones(side, side, device=device, dtype=dtype)
    out = torch.empty_like(matrix)
    return 2 * side**3 / _least(lambda: torch.mm(matrix, matrix, out=out), device == "cuda") / 1e9


def _least(work: Callable[[], object], cuda: bool) -> float:
    times = []
    for _ in range(TRIES):
        start = time.perf_counter()
        work()
        if cuda:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times)
