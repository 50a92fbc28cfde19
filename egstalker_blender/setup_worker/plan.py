"""What a set-up runs: an environment, pip inside it, a look at the result."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..jobs.command import Step

# As the groups "worker", "torch" and "prepare" of pyproject.toml, which is not part of the zip; a
# test holds them together.
WORKER = (
    "numpy>=1.26",
    "isal>=1.6,<2",
    "librosa>=0.11,<2",
    "numba>=0.60",
    "pillow>=11",
    "sounddevice>=0.5,<1",
    "soundfile>=0.13,<1",
)
TORCH, GSPLAT = "torch==2.13.0", "gsplat>=1.5"
# What makes a dataset from a film. This mediapipe, the last one that carries its models, is there
# for no later Python, and needs a numpy that is older than the others' newest.
PREPARE = ("av>=14,<17", "mediapipe==0.10.21", "numpy>=1.26,<2", "pillow>=11", "scipy>=1.13,<2")
PREPARE_IMPORTS = ("av", "mediapipe", "scipy")
PREPARE_NEWEST = (3, 12)
PREPARE_SPACE = 2.0e9  # bytes
TORCH_INDEX = "https://download.pytorch.org/whl/"
CHOICES = (
    ("cpu", "CPU (numba)", "Compiled code on all cores; about 0.6 GB"),
    (
        "cpu_torch",
        "CPU, Training and Checkpoints (numba, torch)",
        "As CPU, and avatars can be trained and official checkpoints imported; about 1.5 GB",
    ),
    (
        "cuda",
        "NVIDIA GPU (torch, gsplat)",
        "Draws on an NVIDIA GPU; about 7 GB. gsplat is compiled at first use where there is a CUDA "
        "toolkit; without one, kernels that need no compiler draw",
    ),
)
SPACE = {"cpu": 1.0e9, "cpu_torch": 3.0e9, "cuda": 12.0e9}  # bytes, with what pip unpacks
IMPORTS = {
    "cpu": ("numba", "librosa", "soundfile"),
    "cpu_torch": ("numba", "librosa", "soundfile", "torch"),
    "cuda": ("numba", "librosa", "soundfile", "torch", "gsplat"),
}
MINUTE = 60.0


def python_of(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    if os.name == "nt":
        return environment / "Scripts" / "python.exe"
    return environment / "bin" / "python"


def requirements(
    choice: str, platform: str = sys.platform, videos: bool = False
) -> tuple[str, ...]:
    """Arguments of pip install. PyPI's torch is for CUDA on Linux and for the CPU elsewhere; the
    other one comes from PyTorch's own index. videos: also what makes a dataset from a film."""
    return (*_requirements(choice, platform), *(PREPARE if videos else ()))


def space_for(choice: str, videos: bool = False) -> float:
    """Bytes that must be free."""
    return SPACE[choice] + (PREPARE_SPACE if videos else 0.0)


def _requirements(choice: str, platform: str) -> tuple[str, ...]:
    if choice == "cpu":
        return WORKER
    if choice == "cpu_torch":
        index = ("--extra-index-url", f"{TORCH_INDEX}cpu") if platform == "linux" else ()
        return (*index, *WORKER, TORCH)
    # As PyPI's for Linux. This torch is built for CUDA 12.6, 13.0 and 13.2 alone.
    index = ("--extra-index-url", f"{TORCH_INDEX}cu130") if platform == "win32" else ()
    return (*index, *WORKER, TORCH, GSPLAT)


def steps_for(choice: str, base: Path, environment: Path, videos: bool = False) -> tuple[Step, ...]:
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
