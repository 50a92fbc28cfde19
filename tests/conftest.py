"""Shared fixtures. Tests of real input next to the project are skipped visibly if it is missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# As the command line and the worker do, before numpy is imported: the bits of a product depend on
# how many threads OpenBLAS shares it between.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real input (reference tensors, a clip, a checkpoint) beside the project."""
    if not (SHARED / "reference").is_dir():
        pytest.skip(f"needs real input in {SHARED}, which is not there")
    return SHARED
