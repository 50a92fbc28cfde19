"""Runs other programs: output to a log file, progress on the terminal, plain errors."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

HEARTBEAT_SECONDS = 10.0
TAIL_LINES = 20


class SetupError(Exception):
    """Something is missing; the message names the remedy. The programs here exit with code 2."""


def say(text: str) -> None:
    print(text, flush=True)


def tail(log: Path, lines: int = TAIL_LINES) -> list[str]:
    """The last lines of a log that are not blank."""
    text = log.read_text(encoding="utf-8", errors="replace").replace("\r", "\n")
    return [line.rstrip() for line in text.splitlines() if line.strip()][-lines:]


def run_or_fail(
    command: Sequence[str | Path],
    log: Path,
    what: str,
    advice: str,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run with both outputs appended to `log`; every ten seconds show its last line. A failure
    shows the end of the log and becomes a `SetupError`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with log.open("ab") as output:
        output.write(f"$ {' '.join(map(str, command))}\n".encode())
        output.flush()
        try:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
            )
        except OSError as error:
            raise SetupError(f"{what} cannot be started ({error}); {advice}") from None
        try:
            while True:
                try:
                    status = process.wait(HEARTBEAT_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    say(f"    {time.monotonic() - start:4.0f} s  {tail(log, 1)[0].strip()[:90]}")
        finally:
            if process.poll() is None:  # interrupted
                process.kill()
                process.wait()
    if status != 0:
        for line in tail(log):
            say(f"    | {line}")
        raise SetupError(f"{what} failed (exit status {status}, log {log}); {advice}")
