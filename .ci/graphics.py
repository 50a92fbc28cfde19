"""The graphics driver of a Blender that the scripts and tests start."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

# What the drivers of GPUs create in /dev: Mesa's and AMD's, NVIDIA's, the one of Windows (WSL).
GPU_DEVICES = ("dri/renderD*", "nvidia[0-9]*", "dxg")
# Either names the files of the Vulkan drivers; both are Vulkan's own.
VULKAN_DRIVERS = ("VK_ICD_FILENAMES", "VK_DRIVER_FILES")
NO_DRIVER = "/nonexistent/vulkan-driver.json"
# Mesa's software OpenGL translates shaders without LLVM's optimiser.
QUICK_SHADERS = {"GALLIVM_PERF": "nopt"}


def environ_for_blender(base: Mapping[str, str], devices: Path = Path("/dev")) -> dict[str, str]:
    """The variables for a process that runs Blender: those of `base`, and on Linux without a GPU
    QUICK_SHADERS, and VK_ICD_FILENAMES with a file that does not exist. What `base` names stays.

    Blender 5.3 and later start on Vulkan, also in the background, and change to OpenGL where Vulkan
    has no driver. Without a GPU its only driver is Mesa's software driver, lavapipe. In Mesa 22.3,
    which is Debian 12's, Blender crashes with it; with the software OpenGL of the same Mesa it
    works. Blender before 5.3 uses OpenGL and is not affected.

    EEVEE's shaders are so large that LLVM takes a quarter of an hour to optimise them, and 40 s to
    translate them as they are; pictures are the same."""
    if not sys.platform.startswith("linux"):
        return dict(base)
    if any(next(devices.glob(pattern), None) for pattern in GPU_DEVICES):
        return dict(base)
    found = {**QUICK_SHADERS, **base}
    if not any(name in base for name in VULKAN_DRIVERS):
        found["VK_ICD_FILENAMES"] = NO_DRIVER
    return found
