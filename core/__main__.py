"""`python -m core COMMAND ...`: see cli.py."""

import os
import sys

from .system import memory


def start() -> int:
    # Set before numpy is imported. The network's matrix products are small: OpenBLAS's threads gain
    # nothing on an idle machine and wait for each other on a busy one (a deform of 130 ms took
    # 700), and their number changes the last bits.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Set before torch is imported. OpenMP's threads otherwise wait for each other by spinning: with
    # other work on the cores, a training step took 3 to 20 times the processor time and the wall
    # time.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    memory.end_without_threads()
    try:
        from .cli import main
    except (MemoryError, ImportError, OSError, SyntaxError) as error:
        failure = memory.known(error)
        if failure is None:
            raise
        sys.stderr.write(f"error: {failure}\n")
        return failure.exit_code
    return main()


if __name__ == "__main__":
    raise SystemExit(start())
