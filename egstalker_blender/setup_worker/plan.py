"""The commands of a set-up: create an environment, install with pip, import the packages."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from ..jobs.command import Step

# The groups "worker", "torch", "gsplat", "prepare" and "prepare-3-13" of pyproject.toml, which is
# not in the zip; a test compares them.
WORKER = (
    "numpy>=1.26",
    "isal>=1.6,<2",
    "librosa>=0.11,<1",
    "llvmlite>=0.43",
    "numba>=0.60",
    "pillow>=11",
    "scipy>=1.13,<2",
    "sounddevice>=0.5,<1",
)
TORCH, GSPLAT = "torch==2.13.0", "gsplat>=1.5,<2"
# The exact versions, written by `make lock` for every system and Python.
CONSTRAINTS = Path(__file__).with_name("constraints.txt")


@dataclass(frozen=True)
class Videos:
    """Packages that turn a video into a dataset. newest: the last Python that has them. models:
    mediapipe contains its models; otherwise the user names model files (docs/training.md)."""

    packages: tuple[str, ...]
    constraints: Path
    newest: tuple[int, int]
    models: bool


# The first mediapipe is the last one that contains its models; it needs an older numpy than the
# other packages do. From 0.10.35 on it contains code that sends usage metrics: never install that.
WITH_MODELS = Videos(
    ("av>=16,<17", "mediapipe==0.10.21", "numpy>=1.26,<2", "pillow>=11", "scipy>=1.13,<2"),
    Path(__file__).with_name("constraints_videos.txt"),
    newest=(3, 12),
    models=True,
)
WITHOUT_MODELS = Videos(
    ("av>=16,<17", "mediapipe==0.10.30", "numpy>=2", "pillow>=11", "scipy>=1.13,<2"),
    Path(__file__).with_name("constraints_videos_3_13.txt"),
    newest=(3, 13),
    models=False,
)
PREPARE_IMPORTS = ("av", "mediapipe", "scipy")
PREPARE_SPACE = 2.0e9  # bytes
PACKAGES = {"cpu": (), "cpu_torch": (TORCH,), "cuda": (TORCH, GSPLAT)}
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
_WORKER_IMPORTS = ("numba", "librosa.core.audio", "scipy.spatial")  # librosa alone loads nothing
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


def requirements(
    choice: str, platform: str = sys.platform, videos: Videos | None = None
) -> tuple[str, ...]:
    """Arguments of pip install: index, constraints, packages. PyPI's torch is for CUDA on Linux and
    for the CPU elsewhere; the other build comes from PyTorch's own index. videos: with the packages
    that turn a video into a dataset."""
    constraints = ("--constraint", str(videos.constraints if videos else CONSTRAINTS))
    packages = (*WORKER, *PACKAGES[choice], *(videos.packages if videos else ()))
    return (*_index(choice, platform), *constraints, *packages)


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
    pip = ("-m", "pip", "install", "--no-input", "--disable-pip-version-check")
    modules = ", ".join((*IMPORTS[choice], *(PREPARE_IMPORTS if videos else ())))
    return (
        Step(
            "Making the environment",
            (str(base), "-I", "-m", "venv", str(environment)),
            5 * MINUTE,
            0.1,
        ),
        Step(
            "Installing",
            (python, *pip, "--progress-bar", "off", *requirements(choice, videos=videos)),
            120 * MINUTE,
            0.8,
        ),
        Step("Trying the packages", (python, "-I", "-c", f"import {modules}"), 10 * MINUTE, 0.1),
    )
