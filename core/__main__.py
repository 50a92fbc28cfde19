"""`python -m core COMMAND ...`: see cli.py."""

import os


def start() -> int:
    # Before numpy is imported. The network's products are small: OpenBLAS's threads gain nothing on
    # an idle machine and wait for each other on a busy one (a deform of 130 ms took 700), and the
    # bits depend on their number.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from .cli import main

    return main()


if __name__ == "__main__":
    raise SystemExit(start())
