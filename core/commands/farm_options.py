"""Options of a command line that runs on a render farm."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..farm.frames import CHUNK
from .console import Console
from .farm_output import FORMS


def add_farm(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--check",
        action="store_true",
        help="write no frame; check versions, avatar, sound, disk, engine and output, one line "
        "each",
    )
    add(
        "--progress",
        choices=tuple(FORMS),
        default="text",
        help="form of the output: text, json (the same as --json), or the lines that Open Job "
        "Description or Flamenco reads (default: text)",
    )
    add(
        "--threads",
        type=_count,
        metavar="N",
        help="compute with at most N threads; the pictures do not depend on it (default: one for "
        "each core)",
    )
    add(
        "--path-mapping",
        type=Path,
        metavar="FILE",
        help="path mapping rules of an Open Job Description session (JSON), applied to the avatars "
        "and sounds of the .blend",
    )
    add(
        "--write-farm-job",
        type=Path,
        metavar="DIR",
        help="write no frame; write this bake as a job bundle of Open Job Description, for AWS "
        "Deadline Cloud and others",
    )
    add(
        "--chunk",
        type=_count,
        default=CHUNK,
        metavar="N",
        help=f"frames of a task of --write-farm-job (default: {CHUNK})",
    )


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text} must be 1 or more")
    return count


def console_for(argv: Sequence[str]) -> Console:
    """The console that the options ask for, also where they are wrong otherwise."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--progress", choices=tuple(FORMS), default="text")
    try:
        form = parser.parse_known_args([word for word in argv])[0].progress
    except argparse.ArgumentError:
        form = "text"
    return FORMS["json" if "--json" in argv else form]()
