"""What `make setup`, `make demo` and `make test` promise when something is missing.

The scripts of .ci are programs and no package, so each case runs in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

PREAMBLE = """
import pathlib, sys, time
import environments, interpreters, process, system
folder = pathlib.Path(sys.argv[1])
environments.ROOT = folder
"""
PROJECT = """
[dependency-groups]
worker = [{ include-group = "core" }]
core = ["./REQUIREMENT"]
"""


def run(program: str, folder: Path) -> str:
    """Output of the program, run beside the scripts; it must end with 0."""
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + program, str(folder)],
        cwd=ROOT / ".ci",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux: apt-get")
def test_missing_libraries_end_in_the_command_that_installs_them(tmp_path: Path) -> None:
    program = """
system.can_load = lambda library: library not in ("libGL.so.1", "libEGL.so.1")
system.apt_usable = lambda: False
try:
    system.ensure_blender_libraries(folder / "log")
except process.SetupError as error:
    print(error)
"""
    assert "sudo apt-get install -y libegl1 libgl1\n" in run(program, tmp_path)


def test_a_shim_that_does_not_run_is_no_interpreter(tmp_path: Path) -> None:
    shim = tmp_path / "python3.11"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    program = "print(interpreters.reported_version(folder / 'python3.11'))"
    assert run(program, tmp_path).strip() == "None"


def test_no_interpreter_ends_in_commands_to_try(tmp_path: Path) -> None:
    program = """
interpreters.find = lambda version, uv: None
system.apt_usable = lambda: False
interpreters.run_logged = lambda command, log: 1
try:
    interpreters.obtain("3.13", folder, folder / "log")
except process.SetupError as error:
    print(error)
"""
    assert "uv python install 3.13" in run(program, tmp_path)


def test_included_groups_are_spelled_out(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT.replace("REQUIREMENT", "a"))
    assert run("print(environments.requirements(['worker']))", tmp_path).strip() == "['./a']"


# A stand-in for `python -m venv` and pip, which fails while a file named `offline` is there.
PREPARE = """
commands = []

def stand_in(command, log, what, advice, env=None):
    commands.append(what)
    if "venv" in map(str, command):
        (folder / ".venv" / "bin").mkdir()
        (folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
        (folder / ".venv" / "pyvenv.cfg").write_text("version = 3")
    elif (folder / "offline").exists():
        raise process.SetupError(what)

def prepare():
    commands.clear()
    try:
        environments.prepare(environments.MAIN, environments.WORKER)
    except process.SetupError as error:
        print("error:", error)
    print(len(commands), environments.is_ready(environments.MAIN, environments.WORKER))

environments.run_or_fail = stand_in
environments._check_imports = lambda environment: None
"""


def test_a_failed_install_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT.replace("REQUIREMENT", "a"))
    (tmp_path / "offline").touch()
    program = "prepare()\n(folder / 'offline').unlink()\nprepare()"
    lines = [line for line in run(PREPARE + program, tmp_path).splitlines() if line[0] != " "]
    assert lines == ["error: pip install into .venv", "2 False", "1 True"]


def test_a_made_environment_is_left_alone_until_its_list_changes(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT.replace("REQUIREMENT", "a"))
    changed = PROJECT.replace("REQUIREMENT", "b")
    program = (
        f"prepare()\nprepare()\n(folder / 'pyproject.toml').write_text({changed!r})\nprepare()"
    )
    lines = [line for line in run(PREPARE + program, tmp_path).splitlines() if line[0] != " "]
    assert lines == ["2 True", "0 True", "1 True"]
