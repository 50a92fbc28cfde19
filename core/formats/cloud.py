"""The Gaussians of a file, read block by block: a file of millions never stands in memory whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..records.gaussians import Gaussians

BLOCK = 1 << 16  # Gaussians


@dataclass(frozen=True, eq=False)
class Cloud:
    """count: Gaussians. read: (start, stop) -> those, raw values as in Gaussians."""

    count: int
    read: Callable[[int, int], Gaussians]

    def blocks(self) -> Iterator[tuple[int, Gaussians]]:
        """(place of the first, Gaussians), one block after the other."""
        for start in range(0, self.count, BLOCK):
            yield start, self.read(start, min(start + BLOCK, self.count))

    def all(self) -> Gaussians:
        return self.read(0, self.count)


def cloud_of(gaussians: Gaussians) -> Cloud:
    def read(start: int, stop: int) -> Gaussians:
        return Gaussians(*(values[start:stop] for values in vars(gaussians).values()))

    return Cloud(len(gaussians), read)
