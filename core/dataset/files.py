"""The files of a dataset folder in the GaussianTalker layout (docs/method.md §5.1)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DatasetError
from ..system.files import reason

_FRAME_NUMBER = re.compile(r"0{0,11}[0-9]{1,9}", re.ASCII)  # 7.jpg or 00007.jpg


@dataclass(frozen=True)
class Listing:
    """The files of each frame: frame number -> path. backgrounds: of the frames that have one of
    their own, because the background moves."""

    images: Mapping[int, Path]
    parsing: Mapping[int, Path]
    torsos: Mapping[int, Path]
    landmarks: Mapping[int, Path]
    backgrounds: Mapping[int, Path] = field(default_factory=dict)

    def from_zero(self) -> Listing:
        """The same with numbers one lower in each folder that counts from 1."""
        parts = (self.images, self.parsing, self.torsos, self.landmarks, self.backgrounds)
        return Listing(
            *(
                {row - 1: path for row, path in part.items()} if min(part, default=0) == 1 else part
                for part in parts
            )
        )


def list_frames(folder: Path, *, needed: bool = True) -> Listing:
    """needed: raise DatasetError if ori_imgs/ or parsing/ is not a readable folder. Otherwise, and
    for torso_imgs/ and bc_imgs/, a missing folder counts as empty."""
    return Listing(
        _numbered(folder / "ori_imgs", (".png", ".jpeg", ".jpg"), needed),
        _numbered(folder / "parsing", (".png",), needed),
        torso_files(folder),
        _numbered(folder / "ori_imgs", (".lms",), needed),
        _numbered(folder / "bc_imgs", (".png", ".jpg"), needed=False),
    )


def torso_files(folder: Path) -> dict[int, Path]:
    """The pictures in torso_imgs/ by frame number, ascending; none if there is no such folder.
    DatasetError if it cannot be read."""
    return dict(sorted(_numbered(folder / "torso_imgs", (".png",), needed=False).items()))


def _numbered(where: Path, suffixes: tuple[str, ...], needed: bool) -> dict[int, Path]:
    """Files named by a frame number, with zeros before it or without; of two with the same number
    the later suffix wins, then the one without zeros."""
    if not needed and not where.is_dir():
        return {}
    try:
        names = os.listdir(where)
    except OSError as error:
        raise DatasetError(
            f"{where} cannot be read: {reason(error)}; a dataset needs the folders ori_imgs/ and "
            "parsing/, make them with: prepare VIDEO FOLDER"
        ) from None
    found: dict[int, Path] = {}
    for suffix in suffixes:
        for name in sorted(names, key=len, reverse=True):
            stem, ending = os.path.splitext(name)
            if ending.lower() == suffix and _FRAME_NUMBER.fullmatch(stem):
                found[int(stem)] = where / name
    return found
