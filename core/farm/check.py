"""What a node of a farm needs before the first frame: one line for each check."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import EgsError, InputError, OutputError
from ..system.files import megabytes, reason

# Bytes of a pixel before compression: RGBA of 8 or 16 bits; depth has 32 and matte 16.
BYTES_PER_PIXEL = {"png": 4, "exr": 8, "exr-multilayer": 14}


@dataclass(frozen=True)
class Check:
    """name: what was checked. text: what was found, or what is wrong and what to do. code: exit
    code, 0 if all is well. warning: the bake can begin, and may not end."""

    name: str
    text: str
    code: int = 0
    warning: bool = False

    @property
    def state(self) -> str:
        if self.code:
            return "failed"
        return "warning" if self.warning else "ok"

    @property
    def line(self) -> str:
        return f"{self.state:<8}{self.name:<9}{' '.join(self.text.split())}"


def failure(name: str, error: EgsError) -> Check:
    return Check(name, str(error), error.exit_code)


def exit_code(checks: Sequence[Check]) -> int:
    """0 if every check passed; 2 if an input is wrong, otherwise 1."""
    codes = [check.code for check in checks if check.code]
    return InputError.exit_code if InputError.exit_code in codes else max(codes, default=0)


def check_output(folder: Path) -> Check:
    """Whether files can be written into `folder`, or the folder be made. Leaves nothing there."""
    there = existing(folder)
    try:
        # A network drive or a read-only one may grant what it then refuses: try it.
        with tempfile.NamedTemporaryFile(dir=there, prefix=".egstalker_", suffix=".part") as file:
            file.write(b"\0")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        text = f"folder {there} is not writable: {reason(error)}; choose another folder"
        return failure("output", OutputError(text))
    return Check("output", f"{folder} can be written")


def check_space(folder: Path, frames: int, size: tuple[int, int], file_format: str) -> Check:
    """Whether the disk has room. size: width and height in pixels, of the largest picture."""
    one = size[0] * size[1] * BYTES_PER_PIXEL[file_format]
    try:
        free = shutil.disk_usage(existing(folder)).free
    except OSError as error:
        return Check("disk", f"the free space of {folder} is not known: {reason(error)}", 0, True)
    text = f"{megabytes(free)} free, {frames} frames need at most {megabytes(one * frames)}"
    if free < one:
        return failure("disk", OutputError(f"{text}; make room on {folder}"))
    return Check("disk", text, warning=free < one * frames)


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    for path in (folder, *folder.parents):
        if path.exists():
            return path
    return folder
