"""Temporary files and folders are named after the process that makes them, so that those of a
killed one are recognised and deleted by a later one."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

PART = ".part"  # of a file that is being written: .NAME.OWNER.part
MOST_NAME = 200  # bytes of NAME; file systems take 255 in all
FOLDER_PREFIX = "egstalker-"  # of a temporary folder: egstalker-OWNER-RANDOM
WEEK = 7 * 86400.0  # seconds after which what another system has left counts as abandoned
_OWNER = r"([0-9a-f]{8})-(\d{1,19})"
_PART_NAME = re.compile(rf"\..+\.{_OWNER}{re.escape(PART)}(\.\w+)?")


@cache
def system_tag() -> str:
    """8 hexadecimal digits of this computer since it started, and of this container: within them a
    process has a number of its own."""
    names = [platform.node()]
    with contextlib.suppress(OSError):  # Linux
        names.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        names.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]


def owner(process: int | None = None) -> str:
    """The name of a process of this system; None: this one."""
    return f"{system_tag()}-{os.getpid() if process is None else process}"


def runs(process: int) -> bool:
    """False only if no process of this system has that number, or that one has ended and nobody
    has asked for its exit code: in a container often nobody ever does."""
    if sys.platform == "win32":  # where os.kill would end it
        return _runs_on_windows(process)
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return True
    return state not in ("Z", "X")


def part_of(path: Path, suffix: str = "", process: int | None = None) -> Path:
    """The temporary name, in the same folder, under which a process of this system writes the file;
    None: this process. The name in it is shortened where the whole would be too long for a file
    system."""
    return path.with_name(f".{short_name(path.name)}.{owner(process)}{PART}{suffix}")


def short_name(name: str) -> str:
    """`name` itself, or its beginning and a digest of the whole: MOST_NAME bytes at most."""
    coded = os.fsencode(name)
    if len(coded) <= MOST_NAME:
        return name
    digest = hashlib.sha256(coded).hexdigest()[:16]
    return coded[: MOST_NAME - 17].decode("utf-8", "ignore") + f"-{digest}"


def remove_parts(folder: Path, process: int) -> None:
    """Delete the temporary files that a process of this system left in `folder` when it was
    killed."""
    for part in folder.glob(f".*.{owner(process)}{PART}*"):
        remove(part)


def remove(part: Path) -> None:
    """Delete a temporary file if that is possible: on a disk that is read-only it is not, even if
    there is none, and the reason why it is deleted is worth more than that one."""
    with contextlib.suppress(OSError):
        part.unlink()


def remove_abandoned(folder: Path) -> None:
    """Delete the temporary files in `folder` of processes that run no longer; those of another
    system after a WEEK. What cannot be read or deleted stays."""
    for path, match in _named(folder, _PART_NAME):
        if _is_abandoned(path, match):
            remove(path)


def temporary_folder(
    parent: Path | None = None, prefix: str = FOLDER_PREFIX
) -> tempfile.TemporaryDirectory[str]:
    """A new private folder in `parent`, None for the system's temporary folder. First those of
    processes that run no longer are removed. OSError if it cannot be made."""
    place = parent or Path(tempfile.gettempdir())
    _remove_abandoned_folders(place, prefix)
    return tempfile.TemporaryDirectory(
        prefix=f"{prefix}{owner()}-", dir=place, ignore_cleanup_errors=True
    )


def _remove_abandoned_folders(parent: Path, prefix: str) -> None:
    names = re.compile(rf"{re.escape(prefix)}{_OWNER}-\w+")
    for path, match in _named(parent, names):
        if _is_abandoned(path, match):
            shutil.rmtree(path, ignore_errors=True)


def _named(folder: Path, names: re.Pattern[str]) -> list[tuple[Path, re.Match[str]]]:
    """What `folder` holds under such names; empty if it cannot be read."""
    try:
        found = ((name, names.fullmatch(name)) for name in os.listdir(folder))
        return [(folder / name, match) for name, match in found if match is not None]
    except OSError:
        return []


def _is_abandoned(path: Path, match: re.Match[str]) -> bool:
    tag, process = match[1], int(match[2])
    if tag == system_tag():
        return not runs(process)
    try:
        return abs(time.time() - path.lstat().st_mtime) > WEEK  # also from a clock that was ahead
    except OSError:
        return False


if sys.platform == "win32":

    def _runs_on_windows(process: int) -> bool:
        import ctypes

        synchronize, no_such_number, still_running = 0x00100000, 87, 0x102
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = ctypes.c_void_p
        handle = kernel.OpenProcess(synchronize, False, process)
        if not handle:
            return ctypes.get_last_error() != no_such_number
        try:
            return bool(kernel.WaitForSingleObject(ctypes.c_void_p(handle), 0) == still_running)
        finally:
            kernel.CloseHandle(ctypes.c_void_p(handle))
