"""A second Blender that runs a script of the extension on a job, while the first goes on."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import bpy

from .command import Command, OnLine, Place, Step

RUNNER = Path(__file__).with_name("second_runs.py")
TICK = 0.02  # seconds between two looks at it

_running: set[Command] = set()


def end_all() -> None:
    """End every second Blender, also those that other threads wait for."""
    for command in list(_running):
        command.end()


def run_second(
    script: Path, job: Mapping[str, Any], folder: Path, on_line: OnLine
) -> Generator[None, None, str]:
    """Call the script's `run` on the job, in `folder`, which is temporary. Yields at least every
    TICK seconds; returns why it failed, empty if it did not. Closing the generator ends it.
    EngineError if it cannot be started."""
    file = folder / f"{script.stem}.json"
    file.write_text(json.dumps(job), encoding="utf-8")
    place = Place(folder / f"{script.stem}.txt", dict(os.environ), folder, merged=True)
    words = (*_program(), str(RUNNER), "--", str(script), str(file))
    command = Command(Step(script.stem, words), place, on_line)
    _running.add(command)
    try:
        while (code := command.poll()) is None:
            yield
            command.wait(TICK)
    finally:
        _running.discard(command)
        command.end()
    if not code:
        return ""
    return command.error_line() or command.last_line() or f"it ended with code {code}"


def _program() -> tuple[str, ...]:
    if bpy.app.binary_path:
        return bpy.app.binary_path, "-b", "--factory-startup", "--python"
    return (sys.executable,)  # Blender as a module
