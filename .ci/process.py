"""Running other programs: output to a log file, signs of life on the terminal, plain errors."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

HEARTBEAT_SECONDS = 10.0
TAIL_LINES = 20


class SetupError(Exception):
    """What is missing and the command that mends it. The programs here end with exit code 2."""


def say(text: str) -> None:
    print(text, flush=True)


def tail(log: Path, lines: int = TAIL_LINES) -> list[str]:
    """The last lines of a log that say something."""
    text = log.read_text(encoding="utf-8", errors="replace").replace("\r", "\n")
    return [line.rstrip() for line in text.splitlines() if line.strip()][-lines:]


def run_logged(
    command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None
) -> int:
    """Run with both outputs appended to `log`; every ten seconds say how far the log has come.

    Returns the exit status (127: the program could not be started).
    """
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
            output.write(f"{error}\n".encode())
            return 127
        while True:
            try:
                return process.wait(HEARTBEAT_SECONDS)
            except subprocess.TimeoutExpired:
                last = (tail(log, 1) or [""])[0].strip()
                say(f"    {time.monotonic() - start:4.0f} s  {last[:90]}")
            except BaseException:
                process.kill()
                process.wait()
                raise


def run_or_fail(
    command: Sequence[str | Path],
    log: Path,
    what: str,
    advice: str,
    env: Mapping[str, str] | None = None,
) -> None:
    """As `run_logged`; a failure shows the end of the log and becomes a `SetupError`."""
    status = run_logged(command, log, env)
    if status != 0:
        for line in tail(log):
            say(f"    | {line}")
        raise SetupError(f"{what} failed (exit status {status}, log {log}); {advice}")
