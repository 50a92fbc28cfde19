"""`make test`: environments, lint, tests of the core and in each Blender, and the zip.

Every stage runs even when an earlier one failed. The last line counts tests, and each stage that
is not a test run (an environment, a lint check, the zip) as one.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import build_zip
import environments
import lint
from environments import BLENDER_45, BLENDER_52, MAIN, PREPARE, ROOT
from process import SetupError, say

Counts = tuple[int, int, int]  # passed, failed, skipped

REPORTS = MAIN.folder / "reports"
# A stage past this has hung: the whole run is meant to take minutes.
STAGE_SECONDS = 600.0


@dataclass
class Tally:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    lines: list[str] = field(default_factory=list)

    def add(self, name: str, counts: Counts, seconds: float) -> None:
        passed, failed, skipped = counts
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        state = "FAILED" if failed else "ok"
        self.lines.append(
            f"{state:6} {name:22} {seconds:6.1f} s  {passed} passed, {failed} failed,"
            f" {skipped} skipped"
        )


def read_counts(report: Path) -> Counts:
    """Passed, failed, skipped of a JUnit report; a run that left none has failed once."""
    try:
        suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    except (OSError, ElementTree.ParseError):
        return 0, 1, 0
    total, failures, errors, skipped = (
        sum(int(suite.get(key, "0")) for suite in suites)
        for key in ("tests", "failures", "errors", "skipped")
    )
    failed = failures + errors
    return total - failed - skipped, failed, skipped


def run_pytest(name: str, python: Path, *paths: str) -> Counts:
    REPORTS.mkdir(parents=True, exist_ok=True)
    report = REPORTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    environ = {**os.environ, "EGSTALKER_WORKER_PYTHON": str(MAIN.executable)}
    command = [str(python), "-m", "pytest", "-q", "--continue-on-collection-errors"]
    command += ["--durations=5", f"--junitxml={report}", *paths]
    try:
        status = subprocess.run(
            command, cwd=ROOT, env=environ, check=False, timeout=STAGE_SECONDS
        ).returncode
    except subprocess.TimeoutExpired:
        say(f"{name}: stopped after {STAGE_SECONDS:.0f} s")
        status = -1
    except OSError as error:
        say(f"{name}: {error}")
        status = 127
    passed, failed, skipped = read_counts(report)
    if status != 0 and failed == 0:
        say(f"{name}: pytest ended with exit status {status} although no test failed")
        failed = 1
    return passed, failed, skipped


def one(succeeded: bool) -> Counts:
    return int(succeeded), int(not succeeded), 0


def run_check(check: lint.Check) -> Counts:
    return one(lint.run(check))


def attempt(action: Callable[[], object]) -> Counts:
    try:
        action()
    except (SetupError, build_zip.BuildError) as error:
        say(f"error: {error}")
        return one(False)
    return one(True)


def main() -> int:
    tally = Tally()

    def stage(name: str, action: Callable[[], Counts]) -> None:
        say(f"\n== {name}")
        start = time.monotonic()
        tally.add(name, action(), time.monotonic() - start)

    prepare_main = functools.partial(environments.prepare, MAIN)
    stage("environment main", functools.partial(attempt, prepare_main))
    for check in lint.checks() if MAIN.executable.exists() else []:
        stage(check.name, functools.partial(run_check, check))
    stage(
        "core tests",
        lambda: run_pytest(
            "core", MAIN.executable, "tests", "--ignore=tests/blender", "--ignore=tests/prepare"
        ),
    )
    prepare_videos = functools.partial(environments.prepare, PREPARE)
    stage("environment prepare", functools.partial(attempt, prepare_videos))
    stage("tests prepare", lambda: run_pytest("prepare", PREPARE.executable, "tests/prepare"))
    for blender in (BLENDER_45, BLENDER_52):
        name = blender.name.removeprefix(".venv-")
        prepare = functools.partial(environments.prepare, blender)
        stage(f"environment {name}", functools.partial(attempt, prepare))
        test = functools.partial(run_pytest, name, blender.executable, "tests/blender")
        stage(f"tests {name}", test)
    zip_it = functools.partial(build_zip.build, BLENDER_52.executable)
    stage("zip", functools.partial(attempt, zip_it))
    say("\n" + "\n".join(tally.lines) + "\n")
    say(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
