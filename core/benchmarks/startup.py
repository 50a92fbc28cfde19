"""Seconds until the program, the worker and the first frame are ready, each in its own process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO, cast

from ..engine.process import worker_environment
from ..system.leftovers import temporary_folder
from ..worker.protocol import VERSION, encode, read_message
from .rows import Row

IMPORT = "import core.bake.backends, core.bake.loop, core.avatar.file"
LOAD = f"{IMPORT}; core.avatar.file.load_avatar(__import__('pathlib').Path(sys.argv[1]))"
FRAME = """
from pathlib import Path
from core.avatar.file import load_avatar
from core.bake.backends import choose_backend
from core.bake.loop import picture
from core.benchmarks.stages import made_track
from core.records.job import BakeJob
from core.bake.plan import training_tasks
backend = choose_backend(sys.argv[2])
avatar = load_avatar(Path(sys.argv[1]))
tasks = training_tasks(avatar, [1])
job = BakeJob(Path(sys.argv[1]), avatar.content_hash, made_track(avatar), tasks, Path())
picture(job, tasks[0], avatar, backend.prepare(avatar), backend)
"""
PLAN = """
from pathlib import Path
from core.avatar.file import load_avatar
from core.bake.plan import training_tasks
from core.records.timeline import MAX_FRAMES
training_tasks(load_avatar(Path(sys.argv[1])), range(1, MAX_FRAMES + 1))
"""
TRIES = 3


def startup(path: Path, backend: str) -> list[Row]:
    """path: an .egs file. Cold: no compiled code is cached on disk."""
    with temporary_folder() as cache:
        environ = {**worker_environment(), "NUMBA_CACHE_DIR": cache}

        def seconds(code: str, tries: int = TRIES) -> list[float]:
            return [_python(code, path, backend, environ) for _ in range(tries)]

        cold = seconds(FRAME, 1)
        return [
            _row("import core", "", seconds(IMPORT)),
            _row("and load .egs", "", seconds(LOAD)),
            _row("plan 100,000 frames", "", seconds(PLAN, 1)),
            _row("worker to hello", backend, [_hello(backend, environ) for _ in range(TRIES)]),
            _row("first frame, cold", backend, cold),
            _row("first frame, warm", backend, seconds(FRAME)),
        ]


def _row(stage: str, backend: str, seconds: list[float]) -> Row:
    times = sorted(1e3 * value for value in seconds)
    middle = times[len(times) // 2]
    return Row(stage, backend or "-", middle, times[0], 1e3 * seconds[0], 0.0, len(times))


def _python(code: str, path: Path, backend: str, environ: dict[str, str]) -> float:
    """Seconds of a whole process, the start of Python included."""
    command = [sys.executable, "-c", f"import sys\n{code}", str(path.resolve()), backend]
    start = time.perf_counter()
    subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def _hello(backend: str, environ: dict[str, str]) -> float:
    with temporary_folder() as folder:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "core.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=os.path.dirname(folder),
            env=environ,
        )
        with process:
            assert process.stdin is not None
            hello = {"type": "hello", "id": 1, "version": VERSION, "backend": backend}
            process.stdin.write(encode({**hello, "folder": folder}))
            process.stdin.flush()
            while (message := read_message(cast(BinaryIO, process.stdout))) is not None:
                if message["type"] != "heartbeat":
                    break
            seconds = time.perf_counter() - start
            process.stdin.close()
        return seconds
