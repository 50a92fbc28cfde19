"""Virtual environments, made and kept up to date: `environments.py [setup|worker|prepare|all]`.

    .venv               Python 3.11 if there is one: core, worker, tests, lint, torch
    .venv-prepare       Python 3.11 with what makes datasets of videos, which needs an older numpy
    .venv-blender-4.5   Python 3.11 with Blender 4.5 as a module
    .venv-blender-5.2   Python 3.13 with Blender 5.2 as a module

Each keeps a stamp with a digest of its requirement lists; an environment whose stamp fits is left
alone. A failed install leaves no stamp, so that the next run tries again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import interpreters
import system
from process import SetupError, run_or_fail, say

ROOT = Path(__file__).resolve().parents[1]
WORKER = ("worker",)
DEVELOP = ("worker", "test", "lint", "torch")


@dataclass(frozen=True)
class Environment:
    """python: the version to run on. strict: no other will do. imports: what must load at last."""

    name: str
    python: str
    strict: bool
    imports: str

    @property
    def folder(self) -> Path:
        return ROOT / self.name

    @property
    def executable(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def log(self) -> Path:
        return self.folder / "install.log"


MAIN = Environment(".venv", "3.11", strict=False, imports="numpy, numba, soundfile")
PREPARE = Environment(".venv-prepare", "3.11", strict=True, imports="av, mediapipe, scipy")
PREPARE_GROUPS = ("prepare",)
PREPARE_DEVELOP = ("prepare", "prepare-test")
BLENDER_45 = Environment(".venv-blender-4.5", "3.11", strict=True, imports="bpy")
BLENDER_52 = Environment(".venv-blender-5.2", "3.13", strict=True, imports="bpy")
BLENDER_GROUPS = {BLENDER_45: ("blender-4-5",), BLENDER_52: ("blender-5-2",)}


def requirements(groups: Sequence[str]) -> list[str]:
    """The requirement lists of pyproject.toml, included groups spelled out, sorted."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lists = table["dependency-groups"]

    def spelled(group: str) -> Iterator[str]:
        for entry in lists[group]:
            if isinstance(entry, str):
                yield entry
            else:
                yield from spelled(entry["include-group"])

    return sorted({entry for group in groups for entry in spelled(group)})


def _digest(environment: Environment, group: str) -> str:
    python = (environment.folder / "pyvenv.cfg").read_text(encoding="utf-8")
    return hashlib.sha256("\n".join([python, *requirements([group])]).encode()).hexdigest()


def _stamp(environment: Environment) -> dict[str, str]:
    """Group -> digest of what is installed; empty when the environment is absent or broken."""
    if not environment.executable.exists() or not (environment.folder / "pyvenv.cfg").is_file():
        return {}
    try:
        stamp = json.loads((environment.folder / "stamp.json").read_text(encoding="utf-8"))
        return {str(group): str(digest) for group, digest in stamp.items()}
    except (FileNotFoundError, ValueError, AttributeError):
        return {}


def is_ready(environment: Environment, groups: Sequence[str]) -> bool:
    stamp = _stamp(environment)
    return bool(stamp) and all(stamp.get(group) == _digest(environment, group) for group in groups)


def prepare(environment: Environment, groups: Sequence[str]) -> Path:
    """Make the environment hold the groups; returns its Python. Quick when it already does."""
    if is_ready(environment, groups):
        return environment.executable
    start = time.monotonic()
    if interpreters.reported_version(environment.executable) is None:
        _make(environment)
    kept = [group for group in _stamp(environment) if group not in groups]
    wanted = requirements([*groups, *kept])
    say(f"  {environment.name}: installing {', '.join(wanted)}")
    (environment.folder / "stamp.json").unlink(missing_ok=True)
    run_or_fail(
        [environment.executable, "-m", "pip", "install", "--no-input", *wanted],
        environment.log,
        f"pip install into {environment.name}",
        "mend what the log says (network, index, disk space) and run again",
    )
    _check_imports(environment)
    stamp = {group: _digest(environment, group) for group in [*groups, *kept]}
    temporary = environment.folder / "stamp.json.tmp"
    temporary.write_text(json.dumps(stamp, indent=1), encoding="utf-8")
    os.replace(temporary, environment.folder / "stamp.json")
    say(f"  {environment.name}: ready after {time.monotonic() - start:.0f} s")
    return environment.executable


def _make(environment: Environment) -> None:
    # A folder without a running Python is a leftover: of a stopped run, or of a removed Python.
    shutil.rmtree(environment.folder, ignore_errors=True)
    environment.folder.mkdir()
    if environment.strict:
        python = interpreters.obtain(environment.python, MAIN.folder, environment.log)
    else:
        found = interpreters.find(environment.python, environment.folder / "bin" / "uv")
        python = found or sys.executable
    interpreters.ensure_venv_module(python, environment.log)
    say(f"  {environment.name}: Python {interpreters.reported_version(python)} of {python}")
    run_or_fail(
        [python, "-m", "venv", environment.folder],
        environment.log,
        f"{python} -m venv",
        "mend what the log says and run again",
    )


def _check_imports(environment: Environment) -> None:
    if environment.imports == "bpy":
        system.ensure_blender_libraries(environment.log)
    # bpy may hang in its static destructors when the interpreter ends, hence os._exit.
    program = f"import os, {environment.imports}; os._exit(0)"
    run_or_fail(
        [environment.executable, "-c", program],
        environment.log,
        f"import of {environment.imports} in {environment.name}",
        f"install what the log names, or remove {environment.name} and run again",
    )


def prepare_blender(environment: Environment) -> Path:
    """As `prepare`, for Blender's module; the main environment is where a uv would be put."""
    return prepare(environment, BLENDER_GROUPS[environment])


def prepare_preferred_blender() -> Path:
    """One Blender: what is there already, else the newest whose Python is there, else 4.5."""
    for environment in (BLENDER_52, BLENDER_45):
        if is_ready(environment, BLENDER_GROUPS[environment]):
            return environment.executable
    uv = MAIN.folder / "bin" / "uv"
    newest = BLENDER_52 if interpreters.find(BLENDER_52.python, uv) else BLENDER_45
    return prepare_blender(newest)


def main(argv: Sequence[str]) -> int:
    what = argv[0] if argv else "setup"
    if what not in ("setup", "worker", "prepare", "all"):
        print(f"error: {what!r} is none of setup, worker, prepare, all", file=sys.stderr)
        return 2
    start = time.monotonic()
    try:
        if what == "prepare":
            prepare(PREPARE, PREPARE_GROUPS)
        else:
            prepare(MAIN, WORKER if what == "worker" else DEVELOP)
        if what == "all":
            prepare(PREPARE, PREPARE_DEVELOP)
            for environment in BLENDER_GROUPS:
                prepare_blender(environment)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    say(f"environments ready ({time.monotonic() - start:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
