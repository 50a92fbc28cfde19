"""What a fault is tried on: one kind of work, done in a process of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """The folder of one trial: what the work reads, writes, caches and uses for a while."""

    folder: Path

    @property
    def inputs(self) -> Path:
        return self.folder / "inputs"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def temporary(self) -> Path:
        return self.folder / "temporary"

    def make(self) -> None:
        for folder in (self.inputs, self.out, self.cache, self.temporary):
            folder.mkdir(parents=True, exist_ok=True)


Results = Mapping[str, str]  # name of a file in `out` -> digest of its content


def digests(place: Place) -> dict[str, str]:
    """Of every visible file in `out`."""
    return {
        str(path.relative_to(place.out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in visible(place.out)
    }


def visible(folder: Path) -> Iterator[Path]:
    """The files that users see, of all folders inside."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden:
            yield path


@dataclass(frozen=True)
class Activity:
    """make: creates what is in `inputs`. act: the work; run again it continues or begins anew, and
    in the end `results` are the same. worker: a word of the command of the process that a fault
    meets, a child of the first; empty: the first process itself. change: inputs that a fault
    replaces by other valid ones, and how; takes_changed: before it has read them, such inputs are
    as good as the first. modules: that it loads first when it needs them. seed: of `act`."""

    make: Callable[[Path], None]
    act: Callable[[Place, int], None]
    results: Callable[[Place], Results] = digests
    worker: str = ""
    change: Callable[[Place], None] | None = None
    takes_changed: bool = False
    modules: tuple[str, ...] = ()
