"""The program's own name and version."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

NAME = "EGSTalker for Blender"
MANIFEST = Path(__file__).resolve().parents[2] / "blender_manifest.toml"


@cache
def version() -> str:
    """As the extension's manifest has it, for example "0.1.0"."""
    return str(tomllib.loads(MANIFEST.read_text(encoding="utf-8"))["version"])
