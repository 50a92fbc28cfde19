"""Where the window opens: the desktop that is there, else a virtual one of `xvfb-run`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from process import SetupError

WIDTH, HEIGHT = 1280, 800  # of the window, in pixels
FRAMEBUFFER = "Xvfb_screen0"  # the file that Xvfb keeps its picture in


@dataclass(frozen=True)
class Display:
    """prefix: what stands before the command. framebuffer: the virtual screen's picture in the
    layout of xwd, None on a desktop, where Blender reads its own window."""

    prefix: tuple[str, ...] = ()
    framebuffer: Path | None = None


def find(environ: Mapping[str, str], folder: Path, virtual: bool = False) -> Display:
    """The desktop, unless there is none or `virtual` is asked for. folder: for the framebuffer.
    SetupError where neither is possible."""
    desktop = not sys.platform.startswith("linux") or any(
        environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    if desktop and not virtual:
        return Display()
    program = shutil.which("xvfb-run", path=environ.get("PATH"))
    if program is None:
        raise SetupError(
            "no display: run on a desktop (DISPLAY set), or install a virtual one"
            " (Debian, Ubuntu: sudo apt-get install xvfb xauth)"
        )
    # Blender's own reading of its window is black on a virtual screen; its file is not.
    screen = f"-screen 0 {WIDTH}x{HEIGHT}x24 -nocursor -nolisten tcp -fbdir {folder}"
    return Display((program, "-a", "-s", screen), folder / FRAMEBUFFER)
