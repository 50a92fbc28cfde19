"""Creates and updates virtual environments: `environments.py [setup|worker|prepare|all]`.

    .venv               the Python that runs this: core, worker, tests, lint, torch
    .venv-prepare       Python 3.11 with the packages that turn videos into datasets
    .venv-blender-4.5   Python 3.11 with Blender 4.5 as a module
    .venv-blender-5.2   Python 3.13 with Blender 5.2 as a module

uv finds or downloads the Python of the other three. The pip of .venv installs the groups of
pyproject.toml in the versions of a lock file; its configuration chooses the index and with it the
build of torch. A stamp, written last, records the installed groups.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import system
from process import SetupError, run_or_fail, say

ROOT = Path(__file__).resolve().parents[1]
WORKER = ("tools", "worker")  # tools are pip and uv
LINT = (*WORKER, "test", "lint")
DEVELOP = (*LINT, "torch", "gsplat")
ADVICE = "correct what the log names (network, index, disk space) and run again"


@dataclass(frozen=True)
class Environment:
    """python: the version it needs, None for the Python that runs this. groups: all that it may
    contain. imports: modules that must load when it is ready."""

    name: str
    python: str | None
    groups: tuple[str, ...]
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

    @property
    def lock(self) -> Path:
        """The exact versions; `make lock` renews them."""
        return ROOT / ".ci" / "locks" / f"{self.name.removeprefix('.')}.txt"


MAIN = Environment(".venv", None, DEVELOP, "numpy")
PREPARE = Environment(".venv-prepare", "3.11", ("prepare", "prepare-test"), "av, mediapipe, scipy")
BLENDER_45 = Environment(".venv-blender-4.5", "3.11", ("blender-4-5",), "bpy")
BLENDER_52 = Environment(".venv-blender-5.2", "3.13", ("blender-5-2",), "bpy")


def installed(environment: Environment) -> set[str]:
    """The groups in its stamp; none if it is absent, incomplete or out of date."""
    try:
        stamp = json.loads((environment.folder / "installed.json").read_text(encoding="utf-8"))
        whole = _runs(environment.executable) and stamp["digest"] == _digest(environment)
        return set(stamp["groups"]) if whole else set()
    except (FileNotFoundError, ValueError, LookupError, TypeError):
        return set()


def prepare(environment: Environment, groups: Sequence[str] = ()) -> Path:
    """Install the groups (none: all) that are missing; returns the environment's Python."""
    wanted, present = set(groups or environment.groups), installed(environment)
    if wanted <= present:
        return environment.executable
    start = time.monotonic()
    if not _runs(environment.executable):
        _make(environment)
    _update_tools()
    names = sorted(wanted | present)
    say(f"  {environment.name}: installing {', '.join(names)}")
    (environment.folder / "installed.json").unlink(missing_ok=True)
    command = [str(MAIN.executable), "-m", "pip", "--python", str(environment.executable)]
    command += ["install", "--constraint", str(environment.lock)]
    command += [f"--group={ROOT / 'pyproject.toml'}:{name}" for name in names]
    run_or_fail(command, environment.log, f"pip install into {environment.name}", ADVICE)
    _check_imports(environment)
    _write_stamp(environment, names)
    say(f"  {environment.name}: ready after {time.monotonic() - start:.0f} s")
    return environment.executable


def prepare_preferred_blender() -> Path:
    """One Blender: an installed one, else the newest whose Python is installed, else 4.5."""
    for environment in (BLENDER_52, BLENDER_45):
        if installed(environment):
            return environment.executable
    version = str(BLENDER_52.python)
    find = [_uv(), "python", "find", "--system", "--no-python-downloads", version]
    found = subprocess.run(find, env=_with_pyenv(), capture_output=True, check=False)
    return prepare(BLENDER_45 if found.returncode else BLENDER_52)


def _digest(environment: Environment) -> str:
    """Digest of everything that decides what is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lists = json.dumps(project["dependency-groups"], sort_keys=True)
    lock = environment.lock.read_text(encoding="utf-8")
    return hashlib.sha256(f"{lists}\n{lock}".encode()).hexdigest()


def _write_stamp(environment: Environment, groups: Sequence[str]) -> None:
    temporary = environment.folder / "installed.json.tmp"
    stamp = {"digest": _digest(environment), "groups": groups}
    temporary.write_text(json.dumps(stamp), encoding="utf-8")
    os.replace(temporary, environment.folder / "installed.json")


def _runs(python: Path) -> bool:
    try:
        return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _make(environment: Environment) -> None:
    # A folder without a running Python is left over from a stopped run or a removed Python.
    shutil.rmtree(environment.folder, ignore_errors=True)
    say(f"  {environment.name}: creating it")
    advice = ADVICE
    command = [sys.executable, "-m", "venv", "--without-pip", str(environment.folder)]
    if environment.python is None:
        system.ensure_venv_module(environment.log)
    else:
        advice = f"connect to the network, or install Python {environment.python}, and run again"
        command = [_uv(), "venv", "--allow-existing", "--no-project"]
        command += ["--python", environment.python, str(environment.folder)]
    run_or_fail(command, environment.log, "creating the environment", advice, _with_pyenv())


def _update_tools() -> None:
    """Install uv, and a pip that supports --group and every Python version."""
    if "tools" not in installed(MAIN):
        if not _runs(MAIN.executable):
            _make(MAIN)
        python = str(MAIN.executable)
        run_or_fail([python, "-m", "ensurepip"], MAIN.log, "python -m ensurepip", ADVICE)
        command = [python, "-m", "pip", "install", "--constraint", str(MAIN.lock), "pip", "uv"]
        run_or_fail(command, MAIN.log, "pip install pip uv", ADVICE)


def _uv() -> str:
    _update_tools()
    return str(MAIN.executable.with_name("uv"))


def _with_pyenv() -> dict[str, str]:
    """Put pyenv's Pythons first on PATH: its shims fail for versions that are not active."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders = [*map(str, sorted(pyenv.glob("versions/*/bin"))), os.environ.get("PATH", "")]
    return {**os.environ, "PATH": os.pathsep.join(folders)}


def _check_imports(environment: Environment) -> None:
    if environment.imports == "bpy":
        system.ensure_blender_libraries(environment.log)
    # bpy may hang in its static destructors when the interpreter ends, hence os._exit.
    program = f"import os, {environment.imports}; os._exit(0)"
    run_or_fail(
        [str(environment.executable), "-c", program],
        environment.log,
        f"import of {environment.imports} in {environment.name}",
        f"install what the log names, or remove {environment.name} and run again",
    )


def main(argv: Sequence[str]) -> int:
    what = argv[0] if argv else "setup"
    wanted: dict[str, list[tuple[Environment, tuple[str, ...]]]] = {
        "setup": [(MAIN, DEVELOP)],
        "worker": [(MAIN, WORKER)],
        "prepare": [(PREPARE, ("prepare",))],
        "all": [(environment, ()) for environment in (MAIN, PREPARE, BLENDER_45, BLENDER_52)],
    }
    if what not in wanted:
        print(f"error: {what!r} is not one of {', '.join(wanted)}", file=sys.stderr)
        return 2
    start = time.monotonic()
    try:
        for environment, groups in wanted[what]:
            prepare(environment, groups)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    say(f"environments ready ({time.monotonic() - start:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
