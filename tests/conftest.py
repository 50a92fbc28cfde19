"""Shared fixtures. Tests of real input next to the project are skipped visibly if it is missing."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

# As the command line and the worker do, before numpy is imported: the bits of a product depend on
# how many threads OpenBLAS shares it between.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from core.system.folders import cache_folder

# Each run has a cache of its own, so that runs side by side share no file and the user's stays as
# it is; but for compiled code, which takes minutes to make.
os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder() / "numba"))
CACHE = tempfile.mkdtemp(prefix="egstalker_cache_")
os.environ["XDG_CACHE_HOME"] = os.environ["LOCALAPPDATA"] = CACHE

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


def pytest_unconfigure() -> None:
    shutil.rmtree(CACHE, ignore_errors=True)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real input (reference tensors, a clip, a checkpoint) beside the project."""
    if not (SHARED / "reference").is_dir():
        pytest.skip(f"needs real input in {SHARED}, which is not there")
    return SHARED
