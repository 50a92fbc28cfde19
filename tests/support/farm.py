"""The farms' programs, where they are installed, and what their workers read."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
JOB_TYPE = ROOT / "egstalker_blender" / "farm" / "egstalker_bake.js"
# What Flamenco's worker looks for in each line of a Blender's output.
SAVED = re.compile(r"^Saved: '(.*)'")
STEP = re.compile(r"^(?:Time: [0-9:.]+|skipping existing frame)")


def tool(name: str) -> str:
    """A program of the environment `.venv`, or of the PATH; without one the test is skipped."""
    folders = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    found = shutil.which(name, path=folders)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def compiled(folder: Path, **settings: Any) -> dict[str, Any]:
    """The tasks that Flamenco's job type makes of the settings."""
    given = folder / "settings.json"
    given.write_text(json.dumps(settings))
    command = [tool("node"), str(ROOT / "tests" / "support" / "flamenco.js"), str(JOB_TYPE), given]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def command_line(command: dict[str, Any], blender: Path) -> list[str]:
    """As Flamenco's worker starts a `blender-render`, with the usual blenderArgs."""
    given = command["parameters"]
    assert (given["exe"], given["exeArgs"]) == ("{blender}", "{blenderArgs}")
    return [str(blender), "-b", "-y", *given["argsBefore"], given["blendfile"], *given["args"]]
