"""One writer for each splat format. All take the head in its own frame and put it in the world."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..formats.glb import glb_chunks
from ..formats.ply_writer import ply_parts
from ..formats.spz import spz_bytes
from ..formats.stills import OURS
from ..formats.usd import UsdWriter
from ..records.gaussians import Splats, deactivate
from ..records.splat_job import SplatJob, SplatTask
from ..render.place import Y_DOWN, moved, scaled, split
from ..system.files import write_atomic


class Writer(Protocol):
    def has(self, task: SplatTask, key: str) -> bool:
        """True if the frame is in its file already, with this content."""
        ...

    def add(self, task: SplatTask, splats: Splats, key: str) -> None:
        """splats: in the head's frame. OutputError."""
        ...

    def finish(self) -> None: ...

    def close(self) -> None:
        """Delete what is not finished."""
        ...


def writer_of(job: SplatJob) -> Writer:
    kinds: dict[str, Callable[[SplatJob], Writer]] = {
        "usdc": _Usd, "ply": _Ply, "glb": _Glb, "spz": _Spz
    }  # fmt: skip
    return kinds[job.file_format](job)


class _OneFile:
    """A writer whose every `add` writes a whole file."""

    def __init__(self, job: SplatJob) -> None:
        self._job = job

    def has(self, task: SplatTask, key: str) -> bool:
        return False

    def finish(self) -> None:
        """Each file is complete."""

    def close(self) -> None:
        """Nothing is left."""


class _Ply(_OneFile):
    """3DGS layout, a file a frame, in the axes that splat tools expect. The header holds the key,
    by which the next export finds the frame done."""

    def has(self, task: SplatTask, key: str) -> bool:
        path = self._job.path_of(task)
        try:
            with path.open("rb") as file:
                head = file.read(1024)
        except OSError:
            return False
        return f"comment {_key_line(key)}\n".encode() in head

    def add(self, task: SplatTask, splats: Splats, key: str) -> None:
        world = moved(splats, Y_DOWN @ task.place)
        comments = ("made by EGSTalker", OURS, _key_line(key))
        head, rows = ply_parts(deactivate(world), self._job.sh_degree, comments)
        write_atomic(self._job.path_of(task), [head, rows])


def _key_line(key: str) -> str:
    return f"egstalker frame {key}"


class _Glb(_OneFile):
    def add(self, task: SplatTask, splats: Splats, key: str) -> None:
        rigid, scale = split(task.place)
        degree = self._job.sh_degree
        chunks = glb_chunks(scaled(splats, scale), self._job.name, rigid, degree)
        write_atomic(self._job.path, chunks)


class _Spz(_OneFile):
    def add(self, task: SplatTask, splats: Splats, key: str) -> None:
        world = deactivate(moved(splats, task.place))
        write_atomic(self._job.path, [spz_bytes(world, self._job.sh_degree)])


class _Usd:
    def __init__(self, job: SplatJob) -> None:
        numbers = job.frames[0].number, job.frames[-1].number
        self._writer = UsdWriter(job.path, job.name, numbers, job.fps, job.sh_degree)

    def has(self, task: SplatTask, key: str) -> bool:
        return False

    def add(self, task: SplatTask, splats: Splats, key: str) -> None:
        rigid, scale = split(task.place)
        self._writer.add(task.number, scaled(splats, scale), rigid)

    def finish(self) -> None:
        self._writer.finish()

    def close(self) -> None:
        self._writer.close()
