"""One run of an activity: `python -m tests.faults.act NAME FOLDER SEED`. Ends like a command of the
program: one line and a code for its own errors, a traceback for a defect."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from core.errors import EgsError
from core.system.folders import cache_folder
from tests.faults.activities import ACTIVITIES
from tests.faults.activity import Place
from tests.faults.clock import start_jumping


def main(name: str, folder: str, seed: str) -> int:
    place = Place(Path(folder))
    tempfile.tempdir = str(place.temporary)
    os.environ["TMPDIR"] = str(place.temporary)
    # Compiled code takes minutes to make.
    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder() / "numba"))
    os.environ["XDG_CACHE_HOME"] = os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(place.cache)
    if "FAULT_CLOCK" in os.environ:
        start_jumping(float(os.environ["FAULT_CLOCK"]))
    try:
        ACTIVITIES[name].act(place, int(seed))
    except EgsError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
