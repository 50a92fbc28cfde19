"""`make test`: environments, lint, tests of the core and in each Blender, and the zip.

Every stage runs even if an earlier one failed. Test runs go side by side if there are enough cores;
each writes a log, which is shown when it ends. No run has a time limit that a slow machine could
reach: pytest-timeout ends a test that hangs (pyproject.toml). The last line counts tests, and each
stage that is not a test run (an environment, a lint check, the zip) as one.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

import build_zip
import environments
import lint
from environments import BLENDER_45, BLENDER_52, MAIN, PREPARE, ROOT, Environment
from process import SetupError, say, tail

Counts = tuple[int, int, int]  # passed, failed, skipped

REPORTS = MAIN.folder / "reports"
HEARTBEAT_SECONDS = 30.0


@dataclass(frozen=True)
class Run:
    """One run of pytest in an environment."""

    name: str
    environment: Environment
    arguments: tuple[str, ...]

    @property
    def log(self) -> Path:
        return REPORTS / f"{self.name}.log"

    @property
    def report(self) -> Path:
        return REPORTS / f"{self.name}.xml"


def runs(cores: int) -> tuple[Run, ...]:
    """The longest first. The core's test files share the cores that the other runs leave."""
    core: tuple[str, ...] = ("tests", "--ignore=tests/blender", "--ignore=tests/prepare")
    if cores > len(OTHERS) + 1:
        core += (f"--numprocesses={cores - len(OTHERS)}", "--dist=loadfile")
    return (Run("core", MAIN, core), *OTHERS)


OTHERS = (
    Run("blender-5.2", BLENDER_52, ("tests/blender",)),
    Run("blender-4.5", BLENDER_45, ("tests/blender",)),
    Run("prepare", PREPARE, ("tests/prepare",)),
)


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
    """Passed, failed and skipped tests of a JUnit report; without a report, one failure."""
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


def run_pytest(run: Run) -> tuple[Counts, float]:
    """Counts and seconds of a run; its output is in its log."""
    start = time.monotonic()
    REPORTS.mkdir(parents=True, exist_ok=True)
    run.report.unlink(missing_ok=True)
    environ = {**os.environ, "EGSTALKER_WORKER_PYTHON": str(MAIN.executable)}
    command = [str(run.environment.executable), "-m", "pytest", "-q", "--durations=5"]
    command += ["--continue-on-collection-errors", f"--junitxml={run.report}", *run.arguments]
    with run.log.open("w", encoding="utf-8") as log:
        try:
            status = subprocess.run(
                command, cwd=ROOT, env=environ, stdout=log, stderr=subprocess.STDOUT, check=False
            ).returncode
        except OSError as error:
            log.write(f"{error}\n")
            status = 127
        passed, failed, skipped = read_counts(run.report)
        if status != 0 and failed == 0:
            log.write(f"pytest ended with exit status {status} although no test failed\n")
            failed = 1
    return (passed, failed, skipped), time.monotonic() - start


def run_side_by_side(wanted: tuple[Run, ...], cores: int, tally: Tally) -> None:
    start = time.monotonic()
    with ThreadPoolExecutor(min(cores, len(wanted))) as pool:
        waiting: dict[Future[tuple[Counts, float]], Run] = {
            pool.submit(run_pytest, run): run for run in wanted
        }
        while waiting:
            done, _ = wait(waiting, HEARTBEAT_SECONDS, FIRST_COMPLETED)
            for future in done:
                run = waiting.pop(future)
                say(f"\n== tests {run.name}")
                say(run.log.read_text(encoding="utf-8", errors="replace"))
                tally.add(f"tests {run.name}", *future.result())
            if waiting and not done:
                states = [f"{run.name} {_state(run)}" for run in waiting.values()]
                say(f"    {time.monotonic() - start:4.0f} s  {', '.join(states)}")


def _state(run: Run) -> str:
    """pytest's progress as it prints it: "[ 37%]"."""
    lines = tail(run.log, 3) if run.log.exists() else []
    return next((line[line.index("[") :] for line in reversed(lines) if "%]" in line), "[  0%]")


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

    for environment in (MAIN, PREPARE, BLENDER_45, BLENDER_52):
        prepare = functools.partial(environments.prepare, environment)
        name = environment.name.removeprefix(".venv-").replace(".venv", "main")
        stage(f"environment {name}", functools.partial(attempt, prepare))
    for check in lint.checks() if MAIN.executable.exists() else []:
        stage(check.name, functools.partial(run_check, check))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = max(1, cores or 1)
    say("\n== tests")
    run_side_by_side(runs(cores), cores, tally)
    zip_it = functools.partial(build_zip.build, BLENDER_52.executable)
    stage("zip", functools.partial(attempt, zip_it))
    say("\n" + "\n".join(tally.lines) + "\n")
    say(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
