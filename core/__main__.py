"""`python -m core COMMAND ...`: see cli.py."""

import os


def start() -> int:
    # Set before numpy is imported. The network's matrix products are small: OpenBLAS's threads gain
    # nothing on an idle machine and wait for each other on a busy one (a deform of 130 ms took
    # 700), and their number changes the last bits.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from .cli import main

    return main()


if __name__ == "__main__":
    raise SystemExit(start())
