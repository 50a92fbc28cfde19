"""One run of an activity: `python -m tests.faults.act NAME FOLDER SEED`. Ends like a command of the
program: one line and a code for its own errors, a traceback for a defect."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from core.system import memory
from core.system.folders import cache_folder
from tests.faults.clock import start_jumping


def act(name: str, folder: str, seed: str) -> int:
    # Here, because numpy may not fit into memory.
    from tests.faults.activities import ACTIVITIES
    from tests.faults.activity import Place

    place = Place(Path(folder))
    tempfile.tempdir = str(place.temporary)
    os.environ["TMPDIR"] = str(place.temporary)
    # Compiled code takes minutes to make.
    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder() / "numba"))
    os.environ["XDG_CACHE_HOME"] = os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(place.cache)
    if "FAULT_CLOCK" in os.environ:
        start_jumping(float(os.environ["FAULT_CLOCK"]))
    without_semaphores()
    ACTIVITIES[name].act(place, int(seed))
    return 0


def without_semaphores() -> None:
    """From now on this process cannot make one of Python's: running.py does not look for those,
    which other programs leave."""
    from multiprocessing import synchronize

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("work that faults are tried on makes a semaphore: look for it")

    synchronize.SemLock.__init__ = refuse  # type: ignore[method-assign]


def main(name: str, folder: str, seed: str) -> int:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    memory.end_without_threads()
    try:
        return act(name, folder, seed)
    except Exception as error:
        failure = memory.known(error)
        if failure is None:
            raise
        print(f"error: {failure}", file=sys.stderr)
        return failure.exit_code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
