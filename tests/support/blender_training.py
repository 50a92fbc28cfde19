"""A training session of a test's own, and a Python for it that only pretends."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

LONG = {"steps": 100_000, "pause": 0.02}  # longer than any test waits
FAKE = Path(__file__).with_name("training_fake.py")


def fake_python(path: Path, avatar: Path, words: str = "", **values: object) -> Path:
    """A program that takes what a Python takes. values: EGS_FAKE_<NAME> of training_fake.py."""
    named = {f"EGS_FAKE_{name.upper()}": value for name, value in values.items()}
    settings = {"EGS_FAKE": words, "EGS_FAKE_AVATAR": avatar, **named}
    lines = [f"export {name}='{value}'" for name, value in settings.items()]
    path.write_text("\n".join(["#!/bin/sh", *lines, f"exec '{sys.executable}' '{FAKE}' \"$@\"\n"]))
    path.chmod(0o755)
    return path


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not within the time"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether the process runs; one that nobody waits for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
