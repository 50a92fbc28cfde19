"""Video files, read as a preparation reads them. Needs the environment of `make prepare`."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from core.prepare.video.clock import frames
from core.prepare.video.container import film_of
from core.prepare.video.sound import sound
from tests.fuzz.case import Case, Maker
from tests.support.videos import pictures, tone, write


def video(folder: Path) -> Case:
    """MP4, Matroska, MPEG transport stream and AVI."""
    path = folder / "film"
    shown = pictures()[:12]
    seeds = []
    for ending in ("mp4", "mkv", "ts", "avi"):
        made = folder / f"good.{ending}"
        write(made, shown, tone(0.6, 48000))
        seeds.append(made.read_bytes())

    def read() -> None:
        film = film_of(path)
        for frame, _ in islice(frames(film, 0.0, 0.3), 3):
            assert frame.width
        sound(film, 0.0, 8)

    return Case(path, tuple(seeds), read)


READERS: dict[str, Maker] = {"video": video}
