"""Processes that a session left behind (Linux; elsewhere nothing is looked for)."""

from __future__ import annotations

import ctypes
import os
import sys
import time

PR_SET_CHILD_SUBREAPER = 36  # of linux/prctl.h
POLL_SECONDS = 0.1


def adopt() -> bool:
    """From now on, processes whose parents end become children of this one, so that they can be
    counted. False where the system cannot do that."""
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) == 0


def wait(seconds: float) -> bool:
    """True when every child has ended within that time; to be called with no child of one's own."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if ended == 0:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
