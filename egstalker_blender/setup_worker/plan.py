"""The commands of a set-up: create an environment, install with pip, import the packages."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..jobs.command import Step

TORCH = "torch==2.13.0"
# The exact versions, written by `make lock` for every system and Python from the groups "worker",
# "torch", "gsplat", "prepare" and "prepare-3-13" of pyproject.toml; in `hashes` with the hashes of
# all their files.
FOLDER = Path(__file__).parent
HASHES = FOLDER / "hashes"


@dataclass(frozen=True)
class Videos:
    """Packages that turn a video into a dataset. suffix: of the names of their lists. newest: the
    last Python that has them. models: mediapipe contains its models; otherwise the user names model
    files (docs/training.md)."""

    suffix: str
    newest: tuple[int, int]
    models: bool


# The first mediapipe is the last one that contains its models; it needs an older numpy than the
# other packages do. From 0.10.35 on it contains code that sends usage metrics: never install that.
WITH_MODELS = Videos("_videos", newest=(3, 12), models=True)
WITHOUT_MODELS = Videos("_videos_3_13", newest=(3, 13), models=False)
PREPARE_IMPORTS = ("av", "mediapipe", "scipy")
PREPARE_SPACE = 2.0e9  # bytes
# Lists in HASHES.
PARTS = {
    "cpu": ("worker",),
    "cpu_torch": ("worker", "torch"),
    "cuda": ("worker", "torch", "gsplat"),
}
BUILD = "torch_build"  # PyPI's build of torch and its CUDA libraries, a list in HASHES
TORCH_INDEX = "https://download.pytorch.org/whl/"
CHOICES = (
    ("cpu", "CPU (numba)", "Compiled code on all cores; about 0.6 GB"),
    (
        "cpu_torch",
        "CPU, Training and Checkpoints (numba, torch)",
        "As CPU, and also trains avatars and imports official checkpoints; about 1.5 GB",
    ),
    (
        "cuda",
        "NVIDIA GPU (torch, gsplat)",
        "Draws on an NVIDIA GPU; about 7 GB. gsplat compiles its kernels at first use if there is "
        "a CUDA toolkit; without one, our own kernels draw, which need no compiler",
    ),
)
SPACE = {"cpu": 1.0e9, "cpu_torch": 3.0e9, "cuda": 12.0e9}  # bytes, including unpacked files
_WORKER_IMPORTS = ("numba", "soundfile", "audioread", "librosa.feature", "scipy.spatial")
IMPORTS = {
    "cpu": _WORKER_IMPORTS,
    "cpu_torch": (*_WORKER_IMPORTS, "torch"),
    "cuda": (*_WORKER_IMPORTS, "torch", "gsplat"),
}
MINUTE = 60.0


def python_of(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    if os.name == "nt":
        return environment / "Scripts" / "python.exe"
    return environment / "bin" / "python"


def hashed(parts: Sequence[str], videos: Videos | None = None) -> tuple[str, ...]:
    """Arguments of pip install: only files with one of the hashes in these lists are installed. The
    lists are complete, so that pip looks for no others. videos: with the packages that turn a video
    into a dataset."""
    suffix = videos.suffix if videos else ""
    lists = [str(HASHES / f"{part}{suffix}.txt") for part in parts]
    return ("--require-hashes", "--no-deps", *(f"--requirement={path}" for path in lists))


def torch_arguments(
    choice: str, platform: str = sys.platform, videos: Videos | None = None
) -> tuple[str, ...]:
    """Arguments of pip install for torch, with the CUDA libraries that its build names. PyPI's
    build, for CUDA on Linux and for the CPU elsewhere, is installed by its hashes; the other one
    comes from PyTorch's own index by its version alone. Empty without torch."""
    if "torch" not in PARTS[choice]:
        return ()
    index = _index(choice, platform)
    if not index:
        return hashed((BUILD,), videos)
    constraints = FOLDER / f"constraints{videos.suffix if videos else ''}.txt"
    # What it needs is there by hash already, and nothing else is taken from this index.
    return (*index, "--no-deps", f"--constraint={constraints}", TORCH)


def space_for(choice: str, videos: bool = False) -> float:
    """Bytes that must be free."""
    return SPACE[choice] + (PREPARE_SPACE if videos else 0.0)


def _index(choice: str, platform: str) -> tuple[str, ...]:
    # PyPI's build for Linux uses CUDA 13.0. This torch is published for CUDA 12.6, 13.0 and 13.2.
    build = {("cpu_torch", "linux"): "cpu", ("cuda", "win32"): "cu130"}.get((choice, platform))
    return ("--extra-index-url", f"{TORCH_INDEX}{build}") if build else ()


def steps_for(
    choice: str, base: Path, environment: Path, videos: Videos | None = None
) -> tuple[Step, ...]:
    python = str(python_of(environment))
    pip = (
        *(python, "-m", "pip", "install", "--no-input"),
        *("--disable-pip-version-check", "--progress-bar", "off"),
    )
    modules = ", ".join((*IMPORTS[choice], *(PREPARE_IMPORTS if videos else ())))
    torch = torch_arguments(choice, videos=videos)
    packages = (*pip, *hashed(PARTS[choice], videos))
    installing = [Step("Installing", packages, 60 * MINUTE, 0.3 if torch else 0.8)]
    if torch:
        installing.append(Step("Installing torch", (*pip, *torch), 60 * MINUTE, 0.5))
    return (
        Step(
            "Making the environment",
            (str(base), "-I", "-m", "venv", str(environment)),
            5 * MINUTE,
            0.1,
        ),
        *installing,
        Step("Trying the packages", (python, "-I", "-c", f"import {modules}"), 10 * MINUTE, 0.1),
    )
