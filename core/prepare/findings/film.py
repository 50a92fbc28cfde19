"""How strongly a film is compressed. Needs PyAV."""

from __future__ import annotations

from pathlib import Path

from ..video.container import Film, opened, usual_gap


def bits_per_picture(film: Film) -> float | None:
    """Of the pictures' stream, on average; by its own bit rate, else by the size of the file. None
    if the file says neither."""
    with opened(film.path) as container:
        rate = container.streams[film.stream].bit_rate
    if not rate:
        rate = _file_rate(film.path, film.seconds)
    return rate * usual_gap(film) if rate else None


def _file_rate(path: Path, seconds: float) -> float:
    """Bits a second of all that is in the file, 0 if its length is unknown."""
    return 8 * path.stat().st_size / seconds if seconds > 0 else 0.0
