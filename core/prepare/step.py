"""The argument of every step: the files of the dataset, options, progress, notes, processes."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..dataset.pictures import read_picture
from ..errors import CancelledError, OutputError
from ..formats.npy import read_arrays
from ..system.files import reason
from ..system.processes import Processes
from .face import quiet
from .options import Note, PrepareOptions, Progress
from .pictures import Pixels, write_bytes

Tool = TypeVar("Tool")
Item = TypeVar("Item")
Result = TypeVar("Result")

SIDE_FOLDER = "prepare"  # of files that only a preparation needs: meshes, track, overlays, log
FEW = 64  # frames for which other processes would take longer to start than to work


@dataclass(frozen=True, eq=False)
class Files:
    """What work on a frame needs, also in another process. video: the file. folder: the dataset
    being made."""

    video: Path
    folder: Path
    options: PrepareOptions

    @property
    def side(self) -> Path:
        return self.folder / SIDE_FOLDER

    def image(self, row: int) -> Path:
        return self.folder / "ori_imgs" / f"{row}.jpg"

    def landmarks(self, row: int) -> Path:
        return self.folder / "ori_imgs" / f"{row}.lms"

    def parsing(self, row: int) -> Path:
        return self.folder / "parsing" / f"{row}.png"

    def torso(self, row: int) -> Path:
        return self.folder / "torso_imgs" / f"{row}.png"

    def pixels(self, row: int) -> Pixels:
        return read_picture(self.image(row))

    def save(self, name: str, **arrays: NDArray[Any]) -> None:
        """Save arrays that only the preparation needs, in its side folder."""
        data = io.BytesIO()
        named: dict[str, Any] = arrays  # numpy 1 would save allow_pickle=False as an array
        np.savez(data, **named)
        write_bytes(self.side / name, data.getbuffer())

    def load(self, name: str) -> dict[str, NDArray[Any]]:
        """Arrays that `save` saved. OutputError if the file was damaged since."""
        path = self.side / name
        try:
            # numpy leaves a file that it opens itself and cannot read to the garbage collector.
            with path.open("rb") as file:
                return read_arrays(file)
        except (OSError, ValueError):
            raise OutputError(
                f"{path} is missing or damaged; give a new folder, or remove {self.folder}"
            ) from None


@dataclass(frozen=True, eq=False)
class Step(Files):
    """name: of the step. on_progress(name, done, total). note(line): what the user should know.
    cancelled() ends the step between frames. processes: None to work in this process alone."""

    name: str
    on_progress: Progress
    note: Note
    cancelled: Callable[[], bool]
    processes: Processes | None = None

    @property
    def files(self) -> Files:
        return Files(self.video, self.folder, self.options)

    @property
    def cores(self) -> int:
        """That the step may use."""
        return self.processes.count if self.processes is not None else 1

    def progress(self, done: int, total: int) -> None:
        """Report how far the step is; total is 0 if unknown. CancelledError if the preparation is
        to stop."""
        self.on_progress(self.name, done, total)
        self.stop_if_cancelled()

    def stop_if_cancelled(self) -> None:
        if self.cancelled():
            raise CancelledError("stopped; finished steps are kept, run it again to continue")

    def make(self, *names: str) -> None:
        """Make folders of the dataset. OutputError if they cannot be made."""
        for name in names:
            try:
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"{self.folder / name} cannot be made: {reason(error)}") from None

    def spread(
        self,
        work: Callable[[Tool, Item], Result],
        items: Iterable[Item],
        make: Callable[[Files], Tool],
        *,
        span: tuple[int, int, int] | None = None,
    ) -> Generator[Result, None, None]:
        """work(tool, item) for every item, on all cores; results come in the items' order, a few
        ahead at most. tool = make(files), once in each process: finders, what was read from files.
        The result must depend on the item alone, not on the items before it.

        work and make are functions of modules, or `functools.partial` of such with small values;
        large ones are read from files by `make`. Progress is reported from span[0] to span[1], of
        span[2]; by default each item counts one. Raises what `work` raises, CancelledError,
        WorkerError."""
        waiting = list(items)
        first, last, total = span or (0, len(waiting), len(waiting))
        few = last - first < FEW and self.options.processes is None
        self.progress(first, total)
        results = self._results(work, waiting, partial(make, self.files), few)
        for done, result in enumerate(results, 1):
            yield result
            self.progress(first + (last - first) * done // len(waiting), total)

    def _results(
        self,
        work: Callable[[Tool, Item], Result],
        items: Sequence[Item],
        make: Callable[[], Tool],
        few: bool,
    ) -> Generator[Result, None, None]:
        if self.processes is not None and not few:
            yield from self.processes.in_order(work, items, make, self.stop_if_cancelled)
            return
        with quiet(self.side):
            tool = make()
        for item in items:
            with quiet(self.side):
                result = work(tool, item)
            yield result


def all_there(paths: Iterable[Path]) -> bool:
    """True if every file exists and is not empty."""
    try:
        return all(path.stat().st_size > 0 for path in paths)
    except OSError:
        return False
