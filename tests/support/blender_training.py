"""A separate training session for each test, and a fake worker Python for it."""

from __future__ import annotations

import sys
from pathlib import Path

LONG = {"steps": 100_000, "pause": 0.02}  # half an hour of each stage
FAKE = Path(__file__).with_name("training_fake.py")


def fake_python(path: Path, avatar: Path, words: str = "", **values: object) -> Path:
    """A program that takes what a Python takes. values: EGS_FAKE_<NAME> of training_fake.py."""
    named = {f"EGS_FAKE_{name.upper()}": value for name, value in values.items()}
    settings = {"EGS_FAKE": words, "EGS_FAKE_AVATAR": avatar, **named}
    lines = [f"export {name}='{value}'" for name, value in settings.items()]
    path.write_text("\n".join(["#!/bin/sh", *lines, f"exec '{sys.executable}' '{FAKE}' \"$@\"\n"]))
    path.chmod(0o755)
    return path
