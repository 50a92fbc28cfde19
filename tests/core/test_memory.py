"""Without enough memory every program ends with one line and the exit code of an error."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from core.engine.worker import WorkerEngine
from core.errors import AudioError, EngineError, MissingPackageError, WorkerError
from core.system import memory
from tests.support.sources import ROOT
from tests.support.talking import small_avatar
from tests.support.waiting import LIMIT

LOADER = "libx.so: failed to map segment from shared object"
OURS = SyntaxError("expected ':'", (str(ROOT / "core" / "dataset" / "load.py"), 217, 1, None))
OTHER = SyntaxError("expected ':'", (str(ROOT / "core_startup.py"), 217, 1, None))
TORCH = "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."


def raised_from(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "memory ran out; close"),
        (MemoryError("Unable to allocate 9 GiB\nfor x"), "ran out (Unable to allocate 9 GiB); "),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "Cannot allocate memory); close"),
        (RuntimeError(TORCH), "you tried to allocate 9 bytes.); close"),
        (SystemError("error return without exception set"), "exception set); close"),
        (RuntimeError("can't start new thread"), "(can't start new thread); close"),
        (OURS, "(expected ':' (load.py, line 217)); close"),
        (raised_from(ImportError("numpy is broken"), ImportError(LOADER)), f"({LOADER}); close"),
        (raised_from(MissingPackageError("pip install x"), ImportError(LOADER)), f"({LOADER}); "),
    ],
)
def test_a_lack_of_memory_is_one_line(error: Exception, said: str) -> None:
    assert memory.ran_out(error)
    found = memory.known(error)
    assert type(found) is EngineError and said in str(found) and "\n" not in str(found)


def test_an_error_in_another_file_is_no_lack_of_memory() -> None:
    assert not memory.ran_out(OTHER) and memory.known(OTHER) is None


@pytest.mark.parametrize(
    "error", [AudioError("memory.wav: out of memory.wav"), MissingPackageError("pip install x")]
)
def test_other_errors_of_ours_stay(error: Exception) -> None:
    assert not memory.ran_out(error) and memory.known(error) is error


def test_a_defect_stays_one() -> None:
    assert memory.known(raised_from(KeyError("x"), ValueError("y"))) is None


NO_THREAD = """
import _thread, time
from core.system import memory
memory.end_without_threads()
def begin():
    raise MemoryError
_thread.start_new_thread(begin, ())
time.sleep(600)
"""


def test_a_thread_without_memory_to_begin_ends_the_process() -> None:
    """Python would wait for it for ever: a bake in a worker hung."""
    done = subprocess.run(
        [sys.executable, "-c", NO_THREAD], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == EngineError.exit_code
    assert done.stderr.startswith("error: memory ran out") and done.stderr.count("\n") == 1


NEVER = """
import threading
from core.system import memory
memory.BEGINS = 0.1
memory.end_without_threads()
thread = threading.Thread(target=int)
thread.start()
thread.join()
try:
    thread.start()
    raise AssertionError("it started twice")
except RuntimeError:
    pass
for name in ("_start_new_thread", "_start_joinable_thread"):  # up to Python 3.12, and later
    setattr(threading, name, lambda *_, **__: 1)
try:
    threading.Thread(target=int).start()
except MemoryError as error:
    raise SystemExit("stopped: " + str(error))
"""


def test_a_thread_that_cannot_even_tell_is_not_waited_for() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NEVER], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "stopped: a thread did not begin\n")


@pytest.mark.parametrize("program", ["core/__main__.py", "core/worker/__main__.py"])
def test_programs_of_ours_end_so(program: str) -> None:
    assert "memory.end_without_threads()" in (ROOT / program).read_text()


if sys.platform == "linux":  # limits of address space are not kept elsewhere

    def limited(megabytes: int) -> list[str]:
        """A Python that may use so much."""
        return ["sh", "-c", f'ulimit -v {1024 * megabytes}; exec "$0" "$@"', sys.executable]

    def test_the_command_line_says_so_at_any_limit(tmp_path: Path) -> None:
        small_avatar(tmp_path / "head.egs")
        ended = []
        for megabytes in (24, 40, 75, 100, 160):
            command = [*limited(megabytes), "-m", "core", "info", str(tmp_path / "head.egs")]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            assert "Traceback" not in done.stderr and done.returncode in (0, 1), done.stderr
            ended.append(done.stderr.partition("(")[0])
            # The library of numpy ends the process itself, with a line of its own.
            said = ("error: memory ran out", "OpenBLAS error: Memory allocation")
            assert done.returncode == 0 or done.stderr.startswith(said), done.stderr
        assert "error: memory ran out " in ended

    @pytest.mark.parametrize("megabytes", range(16, 40, 4))
    def test_a_worker_ends_with_a_line_at_any_limit(megabytes: int) -> None:
        """Python itself needs some 15 MB."""
        done = subprocess.run(
            [*limited(megabytes), "-m", "core.worker"], cwd=ROOT, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        assert done.stderr.startswith("error: memory ran out") and done.returncode == 1

    def test_a_worker_says_so(tmp_path: Path) -> None:
        python = tmp_path / "python"
        python.write_text(f'#!/bin/sh\nulimit -v {1024 * 40}\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
        log = tmp_path / "worker.log"
        engine = WorkerEngine(python, log, tries=1)
        with pytest.raises(WorkerError, match="memory ran out"):
            engine.start()
        engine.close()
        assert log.read_text().startswith("error: memory ran out (")
