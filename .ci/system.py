"""Packages of the operating system: as root, apt-get installs them; otherwise they are named."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from process import SetupError, run_or_fail, say

# Debian and Ubuntu package -> its library that Blender's module is linked to. Blender opens EGL
# when it draws without a display.
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
    missing = [name for name, library in BLENDER_LIBRARIES.items() if not can_load(library)]
    if missing and sys.platform.startswith("linux"):
        install(missing, log, "Blender's module needs system libraries")


def ensure_venv_module(log: Path) -> None:
    """Debian ships Python without ensurepip, which `python -m venv` needs."""
    if find_spec("ensurepip") is None:
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        install([package], log, f"{sys.executable} cannot make environments")


def may_install() -> bool:
    return shutil.which("apt-get") is not None and os.geteuid() == 0


def install(packages: Sequence[str], log: Path, reason: str) -> None:
    """Install as root on Debian and Ubuntu; otherwise raise a SetupError that names the command."""
    names = " ".join(packages)
    command = f"sudo apt-get update && sudo apt-get install -y {names}"
    if not may_install():
        raise SetupError(f"{reason}: {names}; run: {command}")
    say(f"  {reason}: apt-get install {names}")
    advice = f"correct apt's sources, or run: {command}"
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run_or_fail(["apt-get", "update"], log, "apt-get update", advice, quiet)
    arguments = ["install", "-y", "--no-install-recommends", *packages]
    run_or_fail(["apt-get", *arguments], log, f"apt-get install {names}", advice, quiet)
