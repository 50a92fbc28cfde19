"""Inputs that once broke a reader: `found/READER/NAME`, where the reader's name is a slug."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent / "found"


def slug(name: str) -> str:
    """A reader's name as the name of a folder."""
    return re.sub(r"\W+", "_", name).strip("_").lower()


def found_inputs(names: Iterator[str] | list[str]) -> list[tuple[str, Path]]:
    """(reader, file) of every input that was found."""
    return [
        (name, path)
        for name in names
        for path in sorted((FOLDER / slug(name)).glob("*"))
        if path.is_file()
    ]
