"""Inside a Blender window: runs the steps of a script by a timer, records failures, then quits.

A step is a generator. It yields the seconds until it continues; in between Blender draws, plays and
works as usual.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy

from . import MARK, REPORT, picture

EXTENSION = "bl_ext.user_default.egstalker"
PAUSE = 0.2  # seconds in which Blender handles an event and draws
Wait = Iterator[float]


class StepError(Exception):
    """One line: what the step expected, and what it found."""


def check(condition: object, expected: str) -> None:
    if not condition:
        raise StepError(expected)


class Session:
    """Lets a script use Blender's window. out: folder of pictures and report. measures: by name."""

    def __init__(self, out: Path, framebuffer: Path | None) -> None:
        self.out = out
        self.measures: dict[str, float] = {}
        self._framebuffer = framebuffer

    @property
    def window(self) -> Any:
        return bpy.context.window_manager.windows[0]

    def area(self, kind: str = "VIEW_3D") -> Any:
        """The largest area of that kind in the first window."""
        areas = [area for area in self.window.screen.areas if area.type == kind]
        check(areas, f"an area of type {kind} in the window")
        return max(areas, key=lambda area: area.width * area.height)

    def region(self, area: Any, kind: str = "WINDOW") -> Any:
        return next(region for region in area.regions if region.type == kind)

    def over(self, kind: str = "VIEW_3D") -> Any:
        """Context of an operator that is called with the mouse over that area."""
        area = self.area(kind)
        return bpy.context.temp_override(window=self.window, area=area, region=self.region(area))

    def call(self, operator: Any, *args: Any, **options: Any) -> set[str]:
        """The operator's result, called with the mouse over the 3D view."""
        with self.over():
            found: set[str] = operator(*args, **options)
        return found

    def module(self, name: str) -> Any:
        """A module of the installed extension, such as `egstalker_blender.engines`."""
        return importlib.import_module(f"{EXTENSION}.{name}")

    def asset(self, name: str) -> str:
        return str(Path(self.module("egstalker_blender").__file__).parent / "assets" / name)

    def press(self, key: str, x: int, y: int, **modifiers: bool) -> Wait:
        """A key or mouse button at window coordinates, after the mouse has moved there."""
        self.window.event_simulate(type="MOUSEMOVE", value="NOTHING", x=x, y=y)
        yield PAUSE
        for value in ("PRESS", "RELEASE"):
            self.window.event_simulate(type=key, value=value, x=x, y=y, **modifiers)
            yield PAUSE

    def press_over(self, key: str, kind: str = "VIEW_3D", **modifiers: bool) -> Wait:
        region = self.region(self.area(kind))
        x, y = region.x + region.width // 2, region.y + region.height // 2
        yield from self.press(key, x, y, **modifiers)

    def wait(self, condition: Callable[[], object], seconds: float, what: str) -> Wait:
        deadline = time.monotonic() + seconds
        while not condition():
            check(time.monotonic() < deadline, f"{what} within {seconds:.0f} s")
            yield PAUSE

    def redraw(self) -> Wait:
        for window in bpy.context.window_manager.windows:
            for area in window.screen.areas:
                area.tag_redraw()
        yield PAUSE
        yield PAUSE

    def pixels(self) -> picture.Pixels:
        """The current picture of the window."""
        return picture.of_window(self.window, self._framebuffer)

    def save(self, name: str, part: Any = None) -> Wait:
        """Write out/NAME, a .png or .jpg: the window, or one area or region of it."""
        yield from self.redraw()
        pixels = self.pixels()
        if part is not None:
            pixels = picture.crop(pixels, self.window, part)
        path = self.out / name
        if path.suffix == ".jpg":
            picture.write_jpeg(path, pixels)
        else:
            self.module("core.images.png").write_png(path, pixels)


Step = Callable[[Session], Wait]


class Driver:
    def __init__(self, session: Session, steps: list[Step]) -> None:
        self._session = session
        self._failures: list[str] = []
        self._progress = self._all(steps)

    def tick(self) -> float | None:
        try:
            return next(self._progress)
        except StopIteration:
            self._finish()
            return None

    def _all(self, steps: list[Step]) -> Wait:
        for step in steps:
            name = step.__name__.replace("_", " ")
            start = time.monotonic()
            try:
                yield from step(self._session)
            except (StepError, RuntimeError, ReferenceError, ValueError) as error:
                line = str(error).strip().splitlines()[0]
                self._failures.append(f"{name}: {line}")
                self._say(f"FAILED {name}: {line}")
            except Exception:  # an error in the script itself
                traceback.print_exc()
                self._failures.append(f"{name}: see the traceback in the log")
            else:
                self._say(f"{name} ({time.monotonic() - start:.1f} s)")

    def _say(self, text: str) -> None:
        print(f"{MARK}{text}", flush=True)

    def _finish(self) -> None:
        report = {
            "blender": bpy.app.version_string,
            "failures": self._failures,
            "measures": self._session.measures,
        }
        temporary = self._session.out / f"{REPORT}.tmp"
        temporary.write_text(json.dumps(report, indent=1), encoding="utf-8")
        os.replace(temporary, self._session.out / REPORT)
        bpy.ops.wm.quit_blender()


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="driver.py")
    parser.add_argument("script", choices=("tour", "safety"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--framebuffer", type=Path)
    args = parser.parse_args(argv)
    script = importlib.import_module(f".{args.script}", __package__)
    driver = Driver(Session(args.out, args.framebuffer), script.STEPS)
    bpy.app.timers.register(driver.tick, first_interval=2.0, persistent=True)
