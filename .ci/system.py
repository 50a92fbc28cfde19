"""What the operating system must have: packages by apt-get, and the libraries that bpy loads."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from process import SetupError, run_or_fail, say

# Debian and Ubuntu package -> the library in it that Blender's module is linked to. EGL is opened
# when Blender draws without a display.
BLENDER_LIBRARIES = {
    "libegl1": "libEGL.so.1",
    "libgl1": "libGL.so.1",
    "libice6": "libICE.so.6",
    "libsm6": "libSM.so.6",
    "libx11-6": "libX11.so.6",
    "libxext6": "libXext.so.6",
    "libxfixes3": "libXfixes.so.3",
    "libxi6": "libXi.so.6",
    "libxkbcommon0": "libxkbcommon.so.0",
    "libxrender1": "libXrender.so.1",
}


def can_load(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def ensure_blender_libraries(log: Path) -> None:
    """Install the libraries that are missing, or say which command does."""
    if not sys.platform.startswith("linux"):
        return
    missing = [name for name, library in BLENDER_LIBRARIES.items() if not can_load(library)]
    if missing:
        apt_install(missing, log, "Blender's module needs system libraries")


def apt_command(packages: Sequence[str]) -> str:
    return "sudo apt-get update && sudo apt-get install -y " + " ".join(packages)


def apt_usable() -> bool:
    return shutil.which("apt-get") is not None and hasattr(os, "geteuid") and os.geteuid() == 0


def apt_offers(package: str) -> bool:
    """Whether apt knows a version of the package to install."""
    if shutil.which("apt-cache") is None:
        return False
    answer = subprocess.run(
        ["apt-cache", "policy", package], capture_output=True, text=True, check=False
    ).stdout
    return "Candidate:" in answer and "Candidate: (none)" not in answer


def apt_update(log: Path) -> None:
    advice = "mend apt's sources and run again"
    run_or_fail(["apt-get", "update"], log, "apt-get update", advice, _quiet())


def apt_install(packages: Sequence[str], log: Path, reason: str) -> None:
    """As root on Debian and its kin: install. Otherwise a SetupError that names the command."""
    names = " ".join(packages)
    if not apt_usable():
        raise SetupError(f"{reason}: {names}; run: {apt_command(packages)}")
    say(f"  {reason}: apt-get install {names}")
    apt_update(log)
    run_or_fail(
        ["apt-get", "install", "-y", "--no-install-recommends", *packages],
        log,
        f"apt-get install {names}",
        f"run it by hand: {apt_command(packages)}",
        _quiet(),
    )


def _quiet() -> dict[str, str]:
    return {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
