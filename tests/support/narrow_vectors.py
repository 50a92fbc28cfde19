"""The compiled kernels of processors without AVX-512, whatever this one has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.sources import ROOT


def run_with_vectors_of_eight(program: str, cache: Path, *arguments: str) -> None:
    """Run a Python program whose kernels are compiled into `cache`. CalledProcessError if it
    fails."""
    environ = {
        **os.environ,
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "NUMBA_OPT": "1",  # quicker to compile
        "NUMBA_CACHE_DIR": str(cache),
        "PYTHONPATH": str(ROOT),
    }
    subprocess.run([sys.executable, "-c", program, *arguments], env=environ, check=True)
