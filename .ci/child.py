"""Processes that try one row of a long table: `make fuzz` and `make faults`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from environments import MAIN, ROOT, Environment

Row = TypeVar("Row")


def listed(code: str) -> Any:
    """What this Python prints in the main environment, as JSON."""
    command = [str(MAIN.executable), "-c", code]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def answer(environment: Environment, module: str, *words: str) -> tuple[dict[str, Any], str]:
    """The JSON object in the last line of `python -m module words`, or an empty one and why."""
    done = subprocess.run(
        [str(environment.executable), "-m", module, *words],
        cwd=ROOT,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    try:
        return dict(json.loads(done.stdout.splitlines()[-1])), ""
    except (ValueError, IndexError):
        return {}, f"exit status {done.returncode}\n{done.stderr[-4000:]}"


def side_by_side(
    run: Callable[[Row, Path], dict[str, Any]], rows: Sequence[Row], work: Path, processes: int
) -> Iterator[tuple[Row, Path, dict[str, Any]]]:
    """run(row, folder) for every row, so many at once, each with a folder in `work`; in order."""
    folders = [work / str(number) for number in range(len(rows))]
    with ThreadPoolExecutor(max(1, processes)) as pool:
        yield from zip(rows, folders, pool.map(run, rows, folders), strict=True)
