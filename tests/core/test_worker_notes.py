"""The status line shows why a fast path is not used."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from core.engine.worker import WorkerEngine
from core.records.moment import Moment
from tests.core.test_worker_engine import wrapped
from tests.support.talking import small_avatar, sound

NOTES = """
from core.network.numpy.folded_network import NumpyDeformer
NumpyDeformer.notes = ("no CUDA graph: busy",)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs scripts with #!")
def test_a_workers_note_reaches_the_status_line(tmp_path: Path) -> None:
    avatar = small_avatar(tmp_path / "small.egs")
    engine = WorkerEngine(wrapped(tmp_path, NOTES), tmp_path / "worker.log", backend="numpy")
    try:
        engine.start()
        assert engine.status().line() == "worker: numpy on CPU"
        engine.deform(avatar, sound(), Moment(0.2, 0.3, np.zeros(12, np.float32)))
        assert engine.status().line() == "worker: numpy on CPU (no CUDA graph: busy)"
    finally:
        engine.close()
