"""What a bake needs and cannot find: all of it at once, before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..core.errors import ArgumentError, EgsError
from .blocks import file_of
from .sound.strips import linked_pieces


def check_files(scene: Any, heads: Iterable[Any]) -> None:
    """ArgumentError that names every avatar, sound file and strip of the heads that is missing."""
    heads = list(heads)
    problems = {text: None for obj in heads for text in _problems(scene, obj)}
    if problems:
        raise ArgumentError("; ".join(problems))


def _problems(scene: Any, obj: Any) -> Iterator[str]:
    props = obj.egstalker
    yield from _file(props.avatar_block, f"the avatar of {obj.name!r}")
    if props.sound_source == "FILE":
        if props.sound_block is not None:
            yield from _file(props.sound_block, f"the sound of {obj.name!r}")
    elif props.sound_source == "CHANNEL" or props.sound_strip:
        try:
            pieces = linked_pieces(scene, obj)
        except EgsError as error:
            yield f"{obj.name!r}: {error}"
            return
        for piece in pieces:
            strip, path = piece.strip, piece.window.path
            packed = strip.type == "SOUND" and strip.sound.packed_file is not None
            if not packed:
                yield from _absent(path, f"the sound of strip {strip.name!r}")


def _file(block: Any, what: str) -> Iterator[str]:
    try:
        yield from _absent(file_of(block), what)
    except EgsError as error:
        yield f"{what}: {error}"


def _absent(path: Path, what: str) -> Iterator[str]:
    if not path.is_file():
        yield f"{what} is not at {path}"
