"""What the machine can do at best, what a frame asks of it, and the ratio."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import MissingPackageError
from ..network.architecture import architecture_of
from ..network.names import DECODER, HEADS, layer_prefix
from ..network.numpy.gemm import aligned
from ..records.avatar import Avatar
from ..records.weights import NetworkWeights
from ..system.machine import available_cores
from ..system.threads import for_each
from .rows import Row

if TYPE_CHECKING:
    from .device_torch import DeviceCeilings

SIDE = 1024  # of the matrices: their product is bound by arithmetic
COPIED = 1 << 26  # bytes, more than caches hold
TRIES = 5


@dataclass(frozen=True)
class Ceilings:
    """gemm_gflops: float32 matrix products by numpy's library. tile_gflops: the fused network's own
    loop, in the first-level cache (0 without numba). copy_gbs: read and written bytes together.
    All with one thread per core."""

    gemm_gflops: float
    tile_gflops: float
    copy_gbs: float


@dataclass(frozen=True)
class Work:
    """What deforming one frame takes at least: arithmetic, and bytes that do not stay in a cache
    (attention shares, features, canonical values read once; moved values written once)."""

    gflop: float
    megabytes: float


@dataclass(frozen=True)
class Roofline:
    ceilings: Ceilings
    deform: Work
    bound_ms: float
    measured_ms: float
    reached: float  # bound over measured


@dataclass(frozen=True)
class GpuRoofline:
    """float_ms, half_ms: a frame's deformation at best, bound by arithmetic or by bytes. measured:
    the fastest rows; 0 where there is none."""

    ceilings: DeviceCeilings
    float_ms: float
    half_ms: float
    measured_float_ms: float
    measured_half_ms: float


def ceilings() -> Ceilings:
    cores = available_cores()
    squares = [np.ones((SIDE, SIDE), np.float32) for _ in range(cores)]
    results = [np.empty_like(square) for square in squares]
    seconds = _least(
        lambda: for_each(lambda i: np.matmul(squares[i], squares[i], out=results[i]),
                         range(cores), cores)
    )  # fmt: skip
    sources = [np.ones(COPIED // 4, np.float32) for _ in range(cores)]
    targets = [np.zeros_like(source) for source in sources]
    copying = _least(
        lambda: for_each(lambda i: np.copyto(targets[i], sources[i]), range(cores), cores)
    )
    return Ceilings(
        gemm_gflops=cores * 2 * SIDE**3 / seconds / 1e9,
        tile_gflops=_tile_gflops(cores),
        copy_gbs=cores * 2 * COPIED / copying / 1e9,
    )


def work_of(avatar: Avatar) -> Work:
    """Of one frame, from the shapes (docs/method.md §9.1, minimal column; EGSTalker's attention
    counts N agents, GaussianTalker's its heads)."""
    network = avatar.network
    assert network is not None
    arrays, n, architecture = network.arrays, len(avatar.gaussians), architecture_of(network)
    dim = arrays["null_vector"].size
    hidden = len(arrays[f"{layer_prefix(0)}ffn.linear1.bias"])
    mixed = min(network.agents, n)
    attended = architecture.layers * (4 * mixed + 4 * dim + 2 * dim * hidden)
    per_gaussian = attended + _decoding(network)
    values = sum(width for attribute, width in HEADS.values() if attribute not in network.frozen)
    floats = mixed + dim + 2 * values
    return Work(gflop=2 * n * per_gaussian / 1e9, megabytes=4 * n * floats / 1e6)


def _decoding(network: NetworkWeights) -> int:
    """Products of one Gaussian: the official heads that run, or the one decoder of a "paper"
    network, whose KANs take three values for each input."""
    arrays, architecture = network.arrays, architecture_of(network)
    if architecture.decoder:
        kind, each = ("base_weight", 3) if architecture.kan else ("weight", 1)
        return sum(each * arrays[f"{layer}.{kind}"].size for layer in DECODER)
    heads = [head for head, (attribute, _) in HEADS.items() if attribute not in network.frozen]
    return sum(arrays[f"{head}.{layer}.weight"].size for head in heads for layer in (1, 3))


def roofline(avatar: Avatar, measured_ms: float) -> Roofline:
    found, work = ceilings(), work_of(avatar)
    fastest = max(found.gemm_gflops, found.tile_gflops)
    bound = max(work.gflop / fastest, work.megabytes / 1e3 / found.copy_gbs) * 1e3
    return Roofline(found, work, bound, measured_ms, bound / measured_ms)


def gpu_roofline(avatar: Avatar, rows: Sequence[Row], device: str = "cuda") -> GpuRoofline:
    """rows: deformations on that device; those in half precision say so in their names."""
    from .device_torch import device_ceilings

    found, work = device_ceilings(device), work_of(avatar)

    def bound(gflops: float) -> float:
        arithmetic = work.gflop / gflops if gflops else 0.0
        return 1e3 * max(arithmetic, work.megabytes / 1e3 / found.copy_gbs)

    times: dict[bool, list[float]] = {False: [], True: []}
    for row in rows:
        times["half" in row.backend].append(row.min_ms)
    return GpuRoofline(
        found,
        bound(found.gemm_gflops),
        bound(found.half_gflops),
        min(times[False], default=0.0),
        min(times[True], default=0.0),
    )


def _tile_gflops(cores: int) -> float:
    try:
        from ..network.numba.layers import LANES, product_speed
    except MissingPackageError:
        return 0.0
    repeats = 2000
    count, outputs = 64, 128
    floats = (count + outputs) * LANES + count * outputs
    arrays = [aligned(floats) for _ in range(cores)]
    for array in arrays:
        array[:] = 1
    product_speed(arrays[0], count, outputs, 1)
    seconds = _least(
        lambda: for_each(lambda a: product_speed(a, count, outputs, repeats), arrays, cores)
    )
    return cores * repeats * 2 * count * outputs * LANES / seconds / 1e9


def _least(work: Callable[[], object]) -> float:
    times = []
    for _ in range(TRIES):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
