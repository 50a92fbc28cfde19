"""The ring between two threads, and a session over a device that a test controls."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from core.audio.logmel import LogMel
from core.errors import EngineError, FeatureMismatchError
from core.live.session import STALL, LiveSession
from core.live.source import RING_SECONDS, Device, Ring
from core.records.feature_spec import FeatureSpec

SPEC = FeatureSpec("log-mel", 29, parameters=asdict(LogMel()))


class FrozenGaussians:
    """A device whose blocks and faults the test sends."""

    def __init__(self, rate=16000, channels=1):
        self.device, self.ring = Device("Held", "Tests", channels, rate), Ring(rate, channels)
        self.lost, self.closed = "", False

    def fault(self):
        return self.lost

    def close(self):
        self.closed = True


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def session(lookahead=4, **options):
    source, clock = FrozenGaussians(**options), Clock()
    return LiveSession(source, SPEC, lookahead, clock), source, clock


def test_a_ring_gives_what_was_written_whatever_the_sizes():
    rng = np.random.default_rng(1)
    ring, total = Ring(1000, 2), 0
    for _ in range(200):
        size = int(rng.integers(0, 300))
        block = np.arange(total, total + size, dtype=np.float32)[:, None] * (1, 2)
        ring.write(np.float32(block), total / 1000)
        got, entered = ring.read()
        assert np.array_equal(got, block) and entered == total / 1000
        total += size
    assert ring.overruns == 0 and total > 2 * 1000 * RING_SECONDS


def test_a_ring_that_nobody_reads_says_that_sound_was_lost():
    ring = Ring(1000, 1)
    for start in range(0, 10000, 100):
        ring.write(np.arange(start, start + 100, dtype=np.float32)[:, None], 0.0)
    got, _ = ring.read()
    assert ring.overruns == 1
    assert np.array_equal(got[:, 0], np.arange(9000, 10000))
    ring.write(np.full((10, 1), 7, np.float32), 0.0)
    assert len(ring.read()[0]) == 10 and ring.overruns == 1


def test_level_and_moment_of_a_report():
    live, source, _ = session()
    block = np.tile(np.float32([[0.5], [-0.5]]), (4000, 1))
    block[100] = -0.9
    source.ring.write(block, 100.0)
    live.listen()
    report = live.report()
    assert report.peak == pytest.approx(0.9) and report.rms == pytest.approx(0.5, abs=1e-3)
    # Step 24 is the last one complete, 0.48 s; four steps of look-ahead before it.
    assert report.seconds == pytest.approx(0.40)
    live.listen()
    assert live.report().peak == 0 and live.report().seconds == report.seconds


@pytest.mark.parametrize("lookahead", [0, 4, 13])
def test_latency_is_counted_from_the_moment_that_is_shown(lookahead):
    live, source, clock = session(lookahead)
    source.ring.write(np.zeros((8000, 1), np.float32), 99.98)  # the newest is 20 ms old
    live.listen()
    clock.now += 0.07
    report = live.report()
    behind = 500 - 1000 * report.seconds
    assert report.waiting_ms == pytest.approx(20) and report.compute_ms == pytest.approx(70)
    assert report.latency_ms == pytest.approx(90 + behind)
    assert behind == pytest.approx(20 * lookahead + 20)  # step 24 is 20 ms before the end


def test_a_device_that_stops_or_falls_silent_is_lost_with_a_reason():
    live, source, clock = session()
    clock.now += STALL - 0.1
    live.listen()
    clock.now += 0.2
    with pytest.raises(EngineError, match="no sound came for 2 s"):
        live.listen()
    live, source, _ = session()
    source.lost = "it stopped"
    with pytest.raises(EngineError, match="'Held, Tests' was lost: it stopped; connect"):
        live.listen()
    live.close()
    assert source.closed


def test_a_device_is_closed_where_the_avatar_hears_no_sound():
    source = FrozenGaussians()
    with pytest.raises(FeatureMismatchError):
        LiveSession(source, FeatureSpec("hubert", 1024))
    assert source.closed
