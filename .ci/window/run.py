"""One scripted session from outside: start, follow, judge by report, console and leftovers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from process import say

from . import MARK, REPORT, blender, console, display, leftovers

POLL_SECONDS = 0.5
LEFTOVER_SECONDS = 10.0
WORK = blender.ROOT / "dist" / "window"  # logs, reports and pictures of the last runs


@dataclass(frozen=True)
class Request:
    """script: tour or safety. out: a folder that is kept. options: of Blender."""

    script: str
    out: Path
    options: Sequence[str] = ()
    archive: Path | None = None
    virtual: bool = False
    limit_seconds: float = 900.0


@dataclass
class Outcome:
    """failures: one line each, empty when all is well. report: what the script measured."""

    failures: list[str] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)


def run(request: Request) -> Outcome:
    """Install the extension in a Blender profile of its own and run the script in a window.
    SetupError where there is no Blender or no display."""
    program = blender.find(os.environ)
    request.out.mkdir(parents=True, exist_ok=True)
    (request.out / REPORT).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="blender-", ignore_cleanup_errors=True) as at:
        profile = blender.Profile(program, Path(at))
        screen = display.find(os.environ, profile.folder, request.virtual)
        say(f"Blender {program}")
        archive = request.archive or blender.build_zip(profile, os.environ)
        blender.install(profile, archive, os.environ)
        command = blender.session_command(
            profile, screen, request.script, request.out, request.options
        )
        environ = {**profile.environ(os.environ), "TMPDIR": str(profile.folder)}
        log = request.out / f"{request.script}.log"
        adopted = leftovers.adopt()
        status = _follow(command, environ, log, request.limit_seconds)
        outcome = _judge(status, log, request.out / REPORT)
        if adopted and not leftovers.wait(LEFTOVER_SECONDS):
            outcome.failures.append(f"processes still run {LEFTOVER_SECONDS:.0f} s after Blender")
    return outcome


def _follow(command: Sequence[str], environ: dict[str, str], log: Path, limit: float) -> int | None:
    """Exit status, None when the time was up. Shows the driver's lines as they come."""
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environ,
            start_new_session=True,  # so that all of it can be stopped at once
        )
    deadline = time.monotonic() + limit
    shown = 0
    try:
        while True:
            status = process.poll()
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            marked = [line for line in lines if line.startswith(MARK)]
            for line in marked[shown:]:
                say(f"  {line.removeprefix(MARK)}")
            shown = len(marked)
            if status is not None or time.monotonic() > deadline:
                return status
            time.sleep(POLL_SECONDS)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _judge(status: int | None, log: Path, report_file: Path) -> Outcome:
    outcome = Outcome()
    if status is None:
        outcome.failures.append(f"stopped: the time was up, log {log}")
    elif status != 0:
        outcome.failures.append(f"Blender ended with status {status}, log {log}")
    if report_file.is_file():
        outcome.report = json.loads(report_file.read_text(encoding="utf-8"))
        outcome.failures += [str(line) for line in outcome.report["failures"]]
    else:
        outcome.failures.append(f"the script did not come to its end, log {log}")
    for problem in console.problems(log.read_text(encoding="utf-8", errors="replace")):
        outcome.failures.append(f"console, line {problem.line}: {problem.text}")
    return outcome
