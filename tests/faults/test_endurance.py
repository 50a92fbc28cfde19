"""Nothing runs out: memory, handles, threads, processes and files stay the same over many bakes,
restarts of the worker and minutes of live sound. With EGSTALKER_AFTERNOON=1 an afternoon of them,
as in docs/development.md; `make faults` does that."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from core.audio.logmel import LogMel
from core.engine.builtin import BuiltinEngine
from core.engine.interface import Engine
from core.engine.worker import WorkerEngine
from core.live.session import LiveSession
from core.live.source import Device, Ring
from core.records.feature_spec import FeatureSpec
from core.records.moment import Moment
from tests.support.talking import job_for, small_avatar, sound
from tests.support.usage import table

AFTERNOON = bool(os.environ.get("EGSTALKER_AFTERNOON"))
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measures by /proc")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def worker(tmp_path: Path, temporary: Path) -> Iterator[WorkerEngine]:
    log = tmp_path / "log" / "worker.log"
    engine = WorkerEngine(Path(sys.executable), log, backend="numpy", back_off=0.0)
    yield engine
    engine.close()
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("kind", ["worker", "builtin"])
def test_bakes(worker: WorkerEngine, tmp_path: Path, temporary: Path, kind: str) -> None:
    path, out = tmp_path / "head.egs", tmp_path / "out"
    avatar = small_avatar(path)
    engine: Engine = worker if kind == "worker" else BuiltinEngine("numpy")

    def bake() -> None:
        list(engine.bake(job_for(path, avatar, out, count=4)))

    print(table(f"bakes, {kind}", bake, 200 if AFTERNOON else 20, (out, temporary)))


def test_restarts_of_the_worker(worker: WorkerEngine, tmp_path: Path, temporary: Path) -> None:
    avatar, track = small_avatar(tmp_path / "head.egs"), sound()
    moment = Moment(0.1, 0.3, np.zeros(12, np.float32))

    def restart() -> None:
        worker.deform(avatar, track, moment)
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)

    log = tmp_path / "log"
    print(table("restarts", restart, 200 if AFTERNOON else 6, (log, temporary)))
    assert worker.status().name == "worker"


class Spoken:
    """A device that is always as far as the simulated clock."""

    def __init__(self, rate: int) -> None:
        self.device = Device("Simulated", "Tests", 1, rate, default=True)
        self.ring, self.now = Ring(rate, 1), 0.0
        self._random = np.random.default_rng(1)

    def advance(self, seconds: float) -> None:
        self.now += seconds
        block = self._random.normal(0, 0.1, (round(seconds * self.ring.rate), 1))
        self.ring.write(block.astype(np.float32), self.now)

    def fault(self) -> str:
        return ""

    def close(self) -> None:
        pass


def test_a_live_voice(tmp_path: Path) -> None:
    """An hour of it: 25 times a second the newest windows of a device of 48 kHz."""
    source = Spoken(48000)
    spec = FeatureSpec("log-mel", 29, parameters=asdict(LogMel()))
    session = LiveSession(source, spec, clock=lambda: source.now)

    def second() -> None:
        for _ in range(25):
            source.advance(0.04)
            track = session.listen()
            assert np.isfinite(track.windows).all()
        report = session.report()
        assert not report.overruns and report.latency_ms < 200
        assert abs(source.now - report.seconds) < 0.2  # no drift

    print(table("seconds of live voice", second, 3600 if AFTERNOON else 40, ()))
    session.close()
