"""Converts a .ply to an avatar file: a still head here; a checkpoint, and a still that Blender
cannot read, in the worker's Python."""

from __future__ import annotations

import contextlib
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import CheckpointError, MissingPackageError
from ...core.official.request import Source, file_name, place, source_of
from ...core.system.leftovers import part_of, temporary_folder
from ..folders import can_write, user_folder
from ..jobs.command import Clock, Place, Step
from ..jobs.job import DONE, Job

LIMIT = 300.0  # seconds; torch takes a few to start, the conversion one
TICK = 0.2  # seconds between two polls
NEEDS = {
    "torch": "the checkpoint needs a worker Python with torch",
    "pillow": "the pictures in it need a worker Python with Pillow",
}


@dataclass(frozen=True)
class Request:
    """dataset: folder with background, poses and eyes, or None. python: the worker's, or None.
    axes, unit: of a .ply without a network, as core names them."""

    ply: Path
    dataset: Path | None = None
    python: Path | None = None
    axes: str = "auto"
    unit: str = "auto"


class Conversion:
    """From a request to an .egs file next to the .ply, or in the user's folder if that one is not
    writable. Call `step` until it returns a path, then `close`, which may come at any time."""

    def __init__(
        self, request: Request, limit: float = LIMIT, clock: Clock = time.monotonic
    ) -> None:
        """limit: seconds. MissingPackageError without a Python that the checkpoint needs."""
        self._request, self._limit, self._clock = request, limit, clock
        self._source = source_of(request.ply)
        if self._source.needs and request.python is None:
            raise MissingPackageError(
                f"{request.ply}: {NEEDS[self._source.needs]}; choose or set up one in the "
                "preferences"
            )
        same = request.ply.absolute().parent
        self._folder = same if can_write(same) else user_folder("avatars")
        self._name = file_name(self._source.name)
        self._part = part_of(self._folder / self._name, ".egs")
        self.notes: tuple[str, ...] = ()  # of a still: what was mended or assumed
        self._temporary: tempfile.TemporaryDirectory[str] | None = None  # of the log
        self._job: Job | None = None

    def step(self) -> Path | None:
        """The finished file; None while a process works on it. Raises the conversion's errors."""
        if self._source.needs:
            if not self._converted_elsewhere(self._source):
                return None
        else:
            self._convert_still()
        return place(self._part, self._folder, self._name)

    def close(self) -> None:
        if self._job is not None:
            self._job.stop()
        if self._temporary is not None:
            self._temporary.cleanup()
        with contextlib.suppress(OSError):
            self._part.unlink(missing_ok=True)

    def _convert_still(self) -> None:
        # Not at the top: enabling the extension must be quick.
        from ...core.avatar.file import save_avatar
        from ...core.official.importing import ImportOptions, import_avatar

        request = self._request
        options = ImportOptions(
            dataset=request.dataset, name=self._source.name, axes=request.axes, unit=request.unit
        )
        avatar, self.notes = import_avatar(self._source.path, options)
        save_avatar(avatar, self._part)

    def _converted_elsewhere(self, source: Source) -> bool:
        if self._job is None:
            self._job = self._start(source)
        state = self._job.poll()
        if state.kind != DONE and not state.alive:
            raise CheckpointError(state.text)
        return state.kind == DONE

    def _start(self, source: Source) -> Job:
        from ...core.engine.process import worker_environment

        self._temporary = temporary_folder()
        log = Path(self._temporary.name) / "convert.log"
        command = [str(self._request.python), "-m", "core", "convert"]
        command += [str(source.path), str(self._part), "--name", source.name]
        if self._request.dataset is not None:
            command += ["--dataset", str(self._request.dataset)]
        if source.needs != "torch":
            command += ["--axes", self._request.axes, "--unit", self._request.unit]
        label = f"Converting {self._request.ply}"
        step = Step(label, tuple(command), self._limit, result=self._part)
        return Job([step], Place(log, worker_environment(), merged=True), clock=self._clock)

    def wait(self, seconds: float) -> None:
        """Return when the process has ended, or after that time."""
        if self._job is not None:
            self._job.wait(seconds)


def convert(request: Request) -> Path:
    """Run the whole conversion and wait for its end."""
    conversion = Conversion(request)
    try:
        while (path := conversion.step()) is None:
            conversion.wait(TICK)
        return path
    finally:
        conversion.close()
