"""Resampling with numpy alone: Blender, worker and command line get the same samples.

Equal to scipy.signal.resample_poly with its default filter (windowed sinc, Kaiser beta 5.0, ten
zero crossings of the slower rate on each side, zeros outside the sound). Sums run in float64 and
are rounded once, so that another build of numpy gives the same float32."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Reader = Callable[[int, int], NDArray[np.float32]]
"""(start, stop) -> (stop - start,) float32: a piece of a mono sound,
0 <= start <= stop <= length."""

CROSSINGS = 10
KAISER_BETA = 5.0
GROUP = 64  # outputs of one matrix product: wide enough for BLAS, narrow enough for few zeros
BLOCK = 1 << 19  # source samples in memory at a time, approximately


def resampled_length(length: int, rate_in: int, rate_out: int) -> int:
    """Samples that `length` samples become: ceil(length * rate_out / rate_in)."""
    return -(-length * rate_out // rate_in)


def resample(read: Reader, length: int, rate_in: int, rate_out: int) -> NDArray[np.float32]:
    """The (resampled_length,) float32 sound at `rate_out` of the `length` samples that `read` gives
    piece by piece at `rate_in` (whole numbers, Hz). Equal rates copy bit for bit. Besides the
    result, memory is bounded by BLOCK."""
    out = np.empty(resampled_length(length, rate_in, rate_out), np.float32)
    grid = resampled_grid(rate_in, rate_out)
    for first in range(0, len(out), grid):
        out[first : first + grid] = resampled_block(read, length, rate_in, rate_out, first)
    return out


def resampled_grid(rate_in: int, rate_out: int) -> int:
    """Samples of a block of `resample`."""
    up, down, repeat = _period(rate_in, rate_out)
    return BLOCK if up == down else max(1, BLOCK // (down * repeat)) * up * repeat


def resampled_block(
    read: Reader, length: int, rate_in: int, rate_out: int, first: int
) -> NDArray[np.float32]:
    """The block of `resample` that begins at `first`, a multiple of the grid."""
    grid = resampled_grid(rate_in, rate_out)
    last = min(first + grid, resampled_length(length, rate_in, rate_out))
    up, down, repeat = _period(rate_in, rate_out)
    if up == down:
        return read(first, last)
    period_out, period_in = up * repeat, down * repeat
    count = -(-(last - first) // period_out)
    origin = first // period_out * period_in
    made = _block(read, length, origin, count, low_pass(up, down), up, down, repeat)
    return made[: last - first].astype(np.float32)


def _period(rate_in: int, rate_out: int) -> tuple[int, int, int]:
    """up, down and how many periods fill a group: the filter's phases repeat every `up` outputs,
    that is every `down` inputs."""
    divisor = math.gcd(rate_in, rate_out)
    up, down = rate_out // divisor, rate_in // divisor
    return up, down, -(-GROUP // up)


def low_pass(up: int, down: int) -> NDArray[np.float64]:
    """(2 * half + 1,) taps at `up` times the source rate, unit gain after zero stuffing."""
    slower = max(up, down)
    half = CROSSINGS * slower
    taps = np.sinc(np.arange(-half, half + 1) / slower) * np.kaiser(2 * half + 1, KAISER_BETA)
    return taps * (up / taps.sum())


def _block(
    read: Reader,
    length: int,
    origin: int,
    count: int,
    taps: NDArray[np.float64],
    up: int,
    down: int,
    repeat: int,
) -> NDArray[np.float64]:
    """(count * up * repeat,) outputs, the first of them at source sample `origin`."""
    half = len(taps) // 2
    period_out, period_in = up * repeat, down * repeat
    reach = half // up + 1
    start, stop = origin - reach, origin + count * period_in + reach
    source = np.zeros(stop - start)
    lo, hi = max(start, 0), min(stop, length)
    if lo < hi:
        source[lo - start : hi - start] = read(lo, hi)
    out = np.empty((count, period_out))
    for group in range(0, period_out, GROUP):
        end = min(group + GROUP, period_out)
        # Output r of a period sums source n times tap r * down - n * up + half.
        n_first = -((half - group * down) // up)
        n = np.arange(n_first, ((end - 1) * down + half) // up + 1)[:, None]
        index = np.arange(group, end) * down - n * up + half
        inside = (index >= 0) & (index < len(taps))
        matrix = np.where(inside, taps[np.where(inside, index, 0)], 0.0)
        frames = np.lib.stride_tricks.sliding_window_view(source, len(n))
        out[:, group:end] = frames[reach + n_first :: period_in][:count] @ matrix
    return out.reshape(-1)
