"""`make setup`, `make demo` and `make test` if something is missing or they are stopped.

The scripts of .ci are programs and no package, so each case runs in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import LIMIT

ROOT = Path(__file__).resolve().parents[1]
QUICK = {"GALLIVM_PERF": "nopt"}
NO_VULKAN = {"VK_ICD_FILENAMES": "/nonexistent/vulkan-driver.json"}

PREAMBLE = """
import os, pathlib, subprocess, sys, time
import environments, process, system
folder = pathlib.Path(sys.argv[1])
environments.ROOT = folder
"""


def run(program: str, folder: Path, **environ: str) -> list[str]:
    """Lines that the program prints when it is run beside the scripts; it must end with 0."""
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + program, str(folder)],
        cwd=ROOT / ".ci",
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


# What the system lacks ---------------------------------------------------------------------------


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux: apt-get")
def test_missing_libraries_end_in_the_command_that_installs_them(tmp_path: Path) -> None:
    program = """
system.can_load = lambda library: library not in ("libGL.so.1", "libEGL.so.1")
system.may_install = lambda: False
try:
    system.ensure_blender_libraries(folder / "log")
except process.SetupError as error:
    print(error)
"""
    assert run(program, tmp_path)[0].endswith("sudo apt-get install -y libegl1 libgl1")


def test_a_python_without_ensurepip_ends_in_the_command_that_installs_it(tmp_path: Path) -> None:
    program = """
system.find_spec = lambda name: None
system.may_install = lambda: False
try:
    environments.prepare(environments.MAIN, environments.WORKER)
except process.SetupError as error:
    print(error)
"""
    project(tmp_path)
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    assert run(program, tmp_path)[-1].endswith(f"sudo apt-get install -y {package}")


def test_root_installs_what_is_missing(tmp_path: Path) -> None:
    program = """
system.may_install = lambda: True
system.run_or_fail = lambda command, *_: print(*command)
system.install(["libgl1"], folder / "log", "why")
"""
    assert run(program, tmp_path)[1:] == [
        "apt-get update",
        "apt-get install -y --no-install-recommends libgl1",
    ]


def test_pyenvs_pythons_come_before_its_shims(tmp_path: Path) -> None:
    (tmp_path / "versions" / "3.13.0" / "bin").mkdir(parents=True)
    program = "print(environments._with_pyenv()['PATH'])"
    path = run(program, tmp_path, PYENV_ROOT=str(tmp_path), PATH="/shims")[0]
    assert path.split(os.pathsep) == [str(tmp_path / "versions" / "3.13.0" / "bin"), "/shims"]


# What an installation leaves ---------------------------------------------------------------------


def project(folder: Path, requirement: str = "a", version: str = "1") -> None:
    """The files that decide what is installed."""
    table = f'[dependency-groups]\ntools = []\nworker = ["{requirement}"]\ntest = []\nlint = []\n'
    (folder / "pyproject.toml").write_text(table)
    (folder / ".ci" / "locks").mkdir(parents=True, exist_ok=True)
    for name in ("venv", "venv-blender-5.2"):
        (folder / ".ci" / "locks" / f"{name}.txt").write_text(f"a=={version}\n")


# Stands for venv, uv and pip, of which the one that a file `broken` names fails. Each call of
# `prepare` prints the commands, then the groups that are installed.
STAND_IN = """
def stand_in(command, log, what, advice, env=None):
    command = [str(part) for part in command]
    print(what.split(" into ")[0], end=", ")
    broken = (folder / "broken").read_text() if (folder / "broken").exists() else ""
    if broken and broken in " ".join(command):
        raise process.SetupError(f"{what}; {advice}")
    if "venv" in command:
        python = pathlib.Path(command[-1]) / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.symlink_to(sys.executable)

def prepare(environment=environments.MAIN, groups=environments.WORKER):
    try:
        environments.prepare(environment, groups)
    except process.SetupError as error:
        print("error:", error)
    print(*sorted(environments.installed(environment)))

environments.run_or_fail = stand_in
environments.say = lambda text: None
environments._check_imports = lambda environment: None
"""
INSTALL = "python -m ensurepip, pip install pip uv, pip install, "
MAKE = f"creating the environment, {INSTALL}"


def test_an_environment_is_made_once(tmp_path: Path) -> None:
    project(tmp_path)
    assert run(STAND_IN + "prepare()\nprepare()", tmp_path) == [
        f"{MAKE}tools worker",
        "tools worker",
    ]


@pytest.mark.parametrize(("requirement", "version"), [("b", "1"), ("a", "2")])
def test_another_list_or_lock_is_installed(tmp_path: Path, requirement: str, version: str) -> None:
    project(tmp_path)
    run(STAND_IN + "prepare()", tmp_path)
    project(tmp_path, requirement, version)
    lines = run(STAND_IN + "prepare()\nprepare()", tmp_path)
    assert lines == [f"{INSTALL}tools worker", "tools worker"]


def test_what_is_installed_stays(tmp_path: Path) -> None:
    project(tmp_path)
    program = "prepare()\nprepare(groups=environments.LINT)\nprepare()"
    groups = "lint test tools worker"
    lines = [f"{MAKE}tools worker", f"pip install, {groups}", groups]
    assert run(STAND_IN + program, tmp_path) == lines


def test_the_locked_versions_are_asked_for(tmp_path: Path) -> None:
    project(tmp_path)
    program = """
seen = []
environments.run_or_fail = lambda command, *rest: (seen.append(command), stand_in(command, *rest))
prepare()
print(*seen[-1])
"""
    command = run(STAND_IN + program, tmp_path)[-1]
    assert f"--constraint {tmp_path / '.ci' / 'locks' / 'venv.txt'} " in command
    assert command.endswith(f"--group={tmp_path / 'pyproject.toml'}:worker")


def test_a_failed_install_is_tried_again(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "broken").write_text("--group")
    program = "prepare()\n(folder / 'broken').unlink()\nprepare()"
    failed, end, again = run(STAND_IN + program, tmp_path)
    assert failed.startswith(f"{MAKE}error: ")
    assert (end, again) == ("", f"{INSTALL}tools worker")


def test_a_stopped_install_leaves_no_stamp(tmp_path: Path) -> None:
    """Not even the stamp of what was there before."""
    project(tmp_path)
    run(STAND_IN + "prepare()", tmp_path)
    project(tmp_path, version="2")
    program = "(folder / 'stop').touch()\n" + STAND_IN.replace("raise", "os._exit(0)  # raise")
    (tmp_path / "broken").write_text("--group")
    run(program + "prepare()", tmp_path)
    assert not (tmp_path / ".venv" / "installed.json").exists()
    assert run(STAND_IN + "print(environments.installed(environments.MAIN))", tmp_path) == ["set()"]


def test_a_python_that_is_nowhere_ends_in_what_to_do(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "broken").write_text("uv venv")
    program = "prepare(environments.BLENDER_52, ())"
    line = run(STAND_IN + program, tmp_path)[0]
    assert line.endswith("connect to the network, or install Python 3.13, and run again")


# Blender -----------------------------------------------------------------------------------------


def test_the_newest_blender_that_is_there_is_preferred(tmp_path: Path) -> None:
    program = """
present = [environments.BLENDER_45, environments.BLENDER_52]
environments.installed = lambda environment: {environment.name} if environment in present else set()
print(environments.prepare_preferred_blender().parts[-3])
present.append(environments.BLENDER_53)
print(environments.prepare_preferred_blender().parts[-3])
"""
    assert run(program, tmp_path) == [".venv-blender-5.2", ".venv-blender-5.3"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux: its devices")
@pytest.mark.parametrize(
    ("device", "named", "expected"),
    [
        ("", {}, {**QUICK, **NO_VULKAN}),
        ("dri/card0", {}, {**QUICK, **NO_VULKAN}),
        ("nvidiactl", {}, {**QUICK, **NO_VULKAN}),
        ("dri/renderD128", {}, {}),
        ("nvidia0", {}, {}),
        ("dxg", {}, {}),
        ("", {"VK_ICD_FILENAMES": "/a.json"}, {**QUICK, "VK_ICD_FILENAMES": "/a.json"}),
        ("", {"VK_DRIVER_FILES": "/a.json"}, {**QUICK, "VK_DRIVER_FILES": "/a.json"}),
        ("", {"GALLIVM_PERF": ""}, {"GALLIVM_PERF": "", **NO_VULKAN}),
    ],
)
def test_without_a_gpu_blender_finds_no_vulkan_driver_and_translates_shaders_quickly(
    tmp_path: Path, device: str, named: dict[str, str], expected: dict[str, str]
) -> None:
    """What the user names stays."""
    if device:
        (tmp_path / device).parent.mkdir(exist_ok=True)
        (tmp_path / device).touch()
    program = f"import graphics\nprint(graphics.environ_for_blender({named}, folder) == {expected})"
    assert run(program, tmp_path) == ["True"]


def test_the_session_in_a_window_keeps_a_backend_that_the_user_names(tmp_path: Path) -> None:
    program = """
import graphics
from window import run
graphics.environ_for_blender = lambda base: {"without": "driver"}
print(run._environ(["--offline-mode"]))
print(run._environ(["--gpu-backend", "vulkan"]) == dict(os.environ))
"""
    assert run(program, tmp_path) == ["{'without': 'driver'}", "True"]


# Other programs ----------------------------------------------------------------------------------


def test_a_failure_shows_the_end_of_the_log(tmp_path: Path) -> None:
    program = """
try:
    process.run_or_fail(["sh", "-c", "echo no space; exit 3"], folder / "log", "pip", "make room")
except process.SetupError as error:
    print(error)
try:
    process.run_or_fail([folder / "nothing"], folder / "log", "uv", "install it")
except process.SetupError as error:
    print(error)
"""
    first, shown, end, absent = run(program, tmp_path)
    assert (first.strip()[:3], shown.strip()) == ("| $", "| no space")
    assert end == f"pip failed (exit status 3, log {tmp_path / 'log'}); make room"
    assert absent.startswith("uv cannot be started") and absent.endswith("; install it")


def test_an_interrupt_ends_the_program_that_runs(tmp_path: Path) -> None:
    program = """
process.HEARTBEAT_SECONDS = 0.2
def say(text):
    print(text.split()[-1])
    raise KeyboardInterrupt
process.say = say
try:
    process.run_or_fail(["sh", "-c", "echo $$; exec sleep 600"], folder / "log", "sleep", "")
except KeyboardInterrupt:
    print("interrupted")
"""
    pid, end = run(program, tmp_path)
    assert end == "interrupted"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)
