"""The parts of `make screenshots` and `make window` that need no window."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import LIMIT

ROOT = Path(__file__).resolve().parents[1]

MODULE = re.compile(r'module\("([\w.]+)"\)')

PREAMBLE = """
import pathlib, sys, time
from window import blender, console, display, leftovers, run
import process
folder = pathlib.Path(sys.argv[1])

def refused(action):
    try:
        action()
    except process.SetupError as error:
        print(error)
"""


def run(program: str, folder: Path) -> str:
    """Output of the program, run beside the scripts; it must end with 0."""
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + program, str(folder)],
        cwd=ROOT / ".ci",
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


CONSOLE = """\\
Blender 5.2.2
ALSA lib confmisc.c:855: error: Cannot open
Warning: Bake stopped; finished files are kept
Traceback (most recent call last):
  File "x.py", line 1, in draw

    x
KeyError: 'x'
Info: Demo: 100 Gaussians
00:01.000  bke.sound  | ERROR no device
Error: Python: oh
"""


def test_errors_and_tracebacks_of_the_console_are_found_once(tmp_path: Path) -> None:
    program = f"""
for problem in console.problems('''{CONSOLE}'''):
    print(problem.line, problem.text.splitlines()[-1])
"""
    assert run(program, tmp_path).splitlines() == [
        "4 KeyError: 'x'",
        "10 00:01.000  bke.sound  | ERROR no device",
        "11 Error: Python: oh",
    ]


def test_a_quiet_console_has_no_problems(tmp_path: Path) -> None:
    text = "Info: Demo: 100 Gaussians\\nwindow| play (3.0 s)\\nBlender quit"
    assert run(f"print(console.problems('''{text}'''))", tmp_path) == "[]\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux: X displays")
def test_a_desktop_is_used_as_it_is(tmp_path: Path) -> None:
    program = "print(display.find({'DISPLAY': ':0', 'PATH': ''}, folder))"
    assert run(program, tmp_path) == "Display(prefix=(), framebuffer=None)\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux: X displays")
def test_without_a_desktop_there_is_a_virtual_one_or_a_command_to_run(tmp_path: Path) -> None:
    program = """
refused(lambda: display.find({'PATH': str(folder)}, folder))
(folder / 'xvfb-run').touch(0o755)
print(display.find({'PATH': str(folder)}, folder).framebuffer == folder / 'Xvfb_screen0')
print(display.find({'PATH': str(folder), 'DISPLAY': ':0'}, folder, virtual=True).prefix[1])
"""
    refused, *found = run(program, tmp_path).splitlines()
    assert "apt-get install xvfb" in refused
    assert found == ["True", "-a"]


def test_no_blender_ends_in_what_to_name(tmp_path: Path) -> None:
    program = """
refused(lambda: blender.find({'PATH': str(folder)}))
refused(lambda: blender.find({'PATH': str(folder), 'BLENDER': '/nowhere/blender'}))
"""
    none, wrong = run(program, tmp_path).splitlines()
    assert "BLENDER=/path/to/blender" in none
    assert "/nowhere/blender is no program" in wrong


def test_a_session_has_a_profile_of_its_own_and_passes_options_on(tmp_path: Path) -> None:
    program = """
profile = blender.Profile("/opt/blender", folder)
environ = profile.environ({"HOME": "/h", "BLENDER_USER_CONFIG": "/h/config"})
print(sorted(environ), environ["BLENDER_USER_RESOURCES"] == str(folder / "user"))
screen = display.Display(("xvfb-run", "-a"), folder / "fb")
print(*blender.session_command(profile, screen, "tour", folder, ["--gpu-backend", "vulkan"]))
"""
    environ, command = run(program, tmp_path).splitlines()
    assert environ == "['BLENDER_USER_RESOURCES', 'HOME'] True"
    before, after = command.split(" -- ")
    assert before.startswith("xvfb-run -a /opt/blender --gpu-backend vulkan ")
    assert "--enable-event-simulate" in before
    assert after == f"tour --out={tmp_path} --framebuffer={tmp_path}/fb"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux: prctl")
def test_a_process_that_outlives_its_parent_is_noticed(tmp_path: Path) -> None:
    program = """
import os, signal, subprocess
print(leftovers.adopt(), leftovers.wait(1.0))
parent = "import subprocess, sys; print(subprocess.Popen(['sleep', '600'], stdout=2).pid)"
left = subprocess.run([sys.executable, "-c", parent], stdout=subprocess.PIPE, check=True)
print(leftovers.wait(0.3))
os.kill(int(left.stdout), signal.SIGKILL)
print(leftovers.wait(120.0))
"""
    assert run(program, tmp_path).split() == ["True", "True", "False", "True"]


def test_a_session_without_a_report_has_failed(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("Blender quit\n")
    program = """
for status in (0, 1, None):
    print(len(run._judge(status, folder / "log", folder / "report.json").failures))
(folder / "report.json").write_text('{"failures": [], "measures": {}}')
print(run._judge(0, folder / "log", folder / "report.json").failures)
"""
    assert run(program, tmp_path).splitlines() == ["1", "2", "2", "[]"]


def test_the_modules_that_a_session_asks_for_exist() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / ".ci" / "window").glob("*.py")]
    names = {name for text in texts for name in MODULE.findall(text)}
    assert "egstalker_blender.viewport.stage" in names
    for name in names:
        path = ROOT / name.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__init__.py").is_file(), name
