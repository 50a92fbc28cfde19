"""Batches of frames through the kernels, with torch's sort between them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ...errors import EngineError
from ..rasteriser import TILE
from .compiler import Launch
from .drawer import Drawn
from .scene import Scene
from .source import PAIR_NONE, THREADS

ELLIPSE = 12  # floats
MARGIN = 1.3  # room for pairs, relative to what the last batch of that shape needed
LEAST = 1 << 14  # pairs
MOST = (1 << 31) - 1024  # pairs; the kernels count them in 32 bits


class NvrtcDrawer:
    """A `Drawer` on torch's current stream. It waits for the device only at the first batch of a
    shape: later lists of pairs are as long as earlier batches needed. `Drawn` shows if a list was
    too short; the next one is longer.

    kernels: from compiler.py, or others with the same arguments. A frame's bits do not depend on
    the length of the list."""

    def __init__(self, kernels: Mapping[str, Launch]) -> None:
        self._kernels = kernels
        self._capacities: dict[tuple[int, ...], int] = {}

    def draw(
        self,
        scene: Scene,
        views: Tensor,
        size: tuple[int, int],
        background: Tensor | None = None,
        sh_degree: int = 3,
        in_bytes: bool = False,
        with_depth: bool = False,
    ) -> Drawn:
        width, height = size
        columns, rows = -(-width // TILE), -(-height // TILE)
        frames, count, tiles = len(views), scene.means.shape[1], columns * rows
        device = views.device

        def empty(*shape: int, dtype: torch.dtype = torch.int32) -> Tensor:
            return torch.empty(shape, dtype=dtype, device=device)

        # torch's own work comes first: it creates the context in which a new thread starts our
        # kernels.
        broken = torch.zeros(frames, dtype=torch.int32, device=device)
        total = frames * count
        ellipses = empty(total, ELLIPSE, dtype=torch.float32)
        touched, depths = empty(total), empty(total)
        rects = empty(total, 4, dtype=torch.int16)
        masks = empty(total, dtype=torch.int64)
        shared = sum((len(tensor) != frames) << bit for bit, tensor in enumerate(scene.tensors))
        self._run(
            "project", total,
            [frames, count, *scene.tensors, shared, int(scene.raw), sh_degree, views, columns, rows,
             ellipses, touched, rects, depths, masks],
        )  # fmt: skip
        ends = torch.cumsum(touched, 0, dtype=torch.int64)
        pairs = ends[-1] if total else torch.zeros((), dtype=torch.int64, device=device)
        shape = (frames, count, width, height)
        capacity = self._capacities.get(shape) or self.learn(shape, int(pairs))

        keys = torch.full((capacity,), PAIR_NONE, dtype=torch.int64, device=device)
        owners, listed = empty(capacity), empty(capacity)
        self._run(
            "list_pairs", total,
            [frames, count, columns, tiles, capacity, ends, touched, rects, depths, masks,
             keys, owners],
        )  # fmt: skip
        keys, order = torch.sort(keys, stable=True)
        starts = torch.zeros(frames * tiles, dtype=torch.int32, device=device)
        stops = torch.zeros_like(starts)
        self._run("find_ranges", capacity, [capacity, keys, order, owners, starts, stops, listed])

        kind = 0 if background is None else 1 if background.ndim == 3 else 2
        pictures = empty(frames, height, width, 4, dtype=torch.uint8 if in_bytes else torch.float32)
        behind = ellipses if background is None else background
        depths = empty(frames, height, width, dtype=torch.float32) if with_depth else None
        self._kernels["blend" if depths is None else "blend_deep"](
            grid=(tiles, frames, 1),
            block=(TILE * TILE, 1, 1),
            args=[width, height, columns, tiles, starts, stops, listed, ellipses, behind, kind,
                  int(in_bytes), pictures, pictures, broken,
                  *([] if depths is None else [depths])],
        )  # fmt: skip
        return Drawn(pictures, broken, pairs, capacity, depths)

    def learn(self, shape: tuple[int, ...], pairs: int) -> int:
        """Raises EngineError for more pairs than the kernels can count."""
        if pairs > MOST:
            raise EngineError(
                f"{shape[0]} frames of {shape[2]}x{shape[3]} need {pairs} pairs of a Gaussian and a"
                f" tile, more than {MOST}; make smaller pictures, or choose numba"
            )
        capacity = max(LEAST, min(int(pairs * MARGIN), MOST), self._capacities.get(shape, 0))
        self._capacities[shape] = capacity
        return capacity

    def _run(self, name: str, threads: int, arguments: list[Tensor | int]) -> None:
        if threads:
            blocks = -(-threads // THREADS)
            self._kernels[name](grid=(blocks, 1, 1), block=(THREADS, 1, 1), args=arguments)
