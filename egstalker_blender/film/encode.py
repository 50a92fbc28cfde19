"""Starts a second Blender that encodes a film, reports its progress and stops it."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.errors import OutputError
from ...core.images.mp4 import xmp_box
from ...core.records.progress import Progress
from ...core.system.files import Staged, reason, write_atomic
from ...core.system.leftovers import short_name, temporary_folder
from ...core.system.names import full_path
from ..jobs.second import run_second

ENCODER = Path(__file__).with_name("encoder.py")
KINDS = {".mp4": "mp4", ".webm": "webm"}


def film_path(path: Path, kind: str) -> Path:
    """The path with the ending of that kind, in place of the other kind's."""
    stem = path.stem if path.suffix.lower() in KINDS else path.name
    return path.with_name(f"{stem}.{kind}")


@dataclass(frozen=True)
class Film:
    """path: ends in one of KINDS. pictures: files in order, all of that size, which is even. fps,
    fps_base: as in a scene. alpha: keep the pictures' alpha (WebM); otherwise they are composited
    over black. sound: a WAV file that begins with the first picture, None for a silent film. xmp:
    an XMP packet, empty for none."""

    path: Path
    pictures: tuple[Path, ...]
    size: tuple[int, int]
    fps: int
    fps_base: float
    alpha: bool
    sound: Path | None
    xmp: str

    @property
    def kind(self) -> str:
        return KINDS[self.path.suffix.lower()]


def encode_steps(film: Film) -> Generator[Progress, None, None]:
    """Yields the number of encoded frames, many times a second. The film gets its name when it is
    complete; closing the generator ends the encoder and leaves nothing. OutputError,
    EngineError."""
    total, done = len(film.pictures), [0]

    def on_line(line: bytes) -> bool:
        name, _, number = line.partition(b" ")
        if name != b"film" or not number.strip().isdigit():
            return False
        done[0] = int(number)
        return True

    with _folder_for(film) as folder:
        part = folder / f"film{film.path.suffix}"
        with closing(run_second(ENCODER, _job(film, part), folder, on_line)) as steps:
            while True:
                try:
                    next(steps)
                except StopIteration as end:
                    fault = end.value
                    break
                yield Progress(done[0], total, stage="encoding")
        if fault or not part.is_file() or not part.stat().st_size:
            text = fault or "Blender wrote nothing"
            raise OutputError(f"the film {film.path.name} was not encoded: {text}")
        _declare(film, part)
        Staged(film.path, part).commit()
    yield Progress(total, total, path=film.path, stage="encoding")


def _job(film: Film, part: Path) -> dict[str, Any]:
    return {
        "pictures": [full_path(str(path.absolute())) for path in film.pictures],
        "width": film.size[0],
        "height": film.size[1],
        "fps": film.fps,
        "fps_base": film.fps_base,
        "kind": film.kind,
        "alpha": film.alpha,
        "sound": full_path(str(film.sound.absolute())) if film.sound else "",
        # Blender fills in {names}
        "output": full_path(str(part)).replace("{", "{{").replace("}", "}}"),
    }


@contextmanager
def _folder_for(film: Film) -> Generator[Path, None, None]:
    """A hidden folder where the film will be, so that its last step is a rename."""
    parent = film.path.parent.absolute()
    try:
        made = temporary_folder(parent, f".{short_name(film.path.stem)}.")
    except OSError as error:
        raise OutputError(
            f"folder {parent} cannot be written: {reason(error)}; choose another"
        ) from None
    with made as folder:
        yield Path(folder)


def _declare(film: Film, part: Path) -> None:
    """Write the XMP packet: into an MP4; next to a WebM, which has no place for it."""
    if not film.xmp:
        return
    if film.kind == "mp4":
        with part.open("ab") as file:
            file.write(xmp_box(film.xmp))
            file.flush()
            os.fsync(file.fileno())
    else:
        write_atomic(film.path.with_suffix(".xmp"), [film.xmp.encode()])
