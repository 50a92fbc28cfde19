"""A live voice through a worker process: the head shows it, and in time."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from core.audio.features import track_from_waveform
from core.audio.logmel import LogMel
from core.audio.waveform import from_samples
from core.avatar.file import load_avatar, save_avatar
from core.engine.builtin import BuiltinEngine
from core.engine.microphone import FakeMicrophone, microphone_of
from core.engine.worker import WorkerEngine
from core.errors import (
    EngineError,
    FeatureMismatchError,
    MissingPackageError,
    WorkerError,
)
from core.live.source import Device
from core.live.stream import full_lookahead
from core.records.feature_spec import FeatureSpec
from core.records.moment import Moment
from tests.support.live_sources import script, vowel
from tests.support.talking import small_avatar

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs scripts with #!")

ROOT = Path(__file__).parents[2]
RATE = 48000
SPEC = FeatureSpec(
    "log-mel",
    29,
    parameters=asdict(LogMel()),
    normalisation="fixed",
    mean=(-6.0,) * 29,
    std=(3.0,) * 29,
    outside="silence",
)
SPEAKS = f"devices.open_source = lambda label: fed(vowel({RATE}), {RATE})"
LISTS = "devices.input_devices = lambda: [devices.Device('Fed', 'Tests', 1, 16000, True)]"
MOMENT = Moment(99.0, 0.3, np.linspace(0, 1, 12, dtype=np.float32), 0.8)


@pytest.fixture(scope="module")
def avatar(tmp_path_factory):
    path = tmp_path_factory.mktemp("avatar") / "small.egs"
    save_avatar(replace(small_avatar(path), features=SPEC), path)
    return load_avatar(path)


@pytest.fixture
def engine(tmp_path):
    opened = []

    def make(body):
        python = tmp_path / "python"
        python.write_text(script(ROOT, body))
        python.chmod(0o755)
        made = WorkerEngine(python, tmp_path / "worker.log", backend="numpy", back_off=0.01)
        opened.append(made)
        return made

    yield make
    for made in opened:
        made.close()


def test_what_is_heard_is_shown_as_the_offline_track_shows_it(avatar, engine):
    microphone, builtin = microphone_of(engine(SPEAKS)), BuiltinEngine("numpy")
    assert microphone.start(avatar, lookahead=full_lookahead(SPEC)) == "Fed, Tests"
    track = track_from_waveform(from_samples(vowel(RATE), RATE), SPEC)
    shown = {}
    while max(shown, default=0) < 20:
        frame = microphone.frame(avatar, MOMENT)
        row = round(frame.report.seconds * 25)
        if row >= 0 and abs(row / 25 - frame.report.seconds) < 1e-9:
            shown[row] = frame.splats
    microphone.stop()
    for row in sorted(shown)[::4]:
        wanted = builtin.deform(avatar, track, replace(MOMENT, seconds=row / 25))
        for field in ("means", "quats", "scales", "opacities", "sh"):
            assert np.allclose(getattr(shown[row], field), getattr(wanted, field), atol=1e-4)
    spread = np.abs(shown[min(shown)].means - shown[max(shown)].means).max()
    assert spread > 1e-3  # ten times what was allowed above: it has moved


def test_a_vowel_is_seen_within_the_latency_that_is_stated(avatar, engine):
    """The head shows the moment that is stated, and the latency is the time since that moment,
    however long a frame takes here."""
    begins = 0.5
    speaks = f"devices.open_source = lambda label: fed(vowel({RATE}, {begins}, 60.0), {RATE})"
    silence = track_from_waveform(from_samples(np.zeros(RATE, np.float32), RATE), SPEC)
    quiet = BuiltinEngine("numpy").deform(avatar, silence, replace(MOMENT, seconds=0.5)).means
    microphone = microphone_of(engine(speaks))
    asked = time.monotonic()
    microphone.start(avatar)
    started = time.monotonic()  # the device opened after `asked` and before
    moves, latencies = False, []
    while not moves:
        before = time.monotonic()
        frame = microphone.frame(avatar, MOMENT)
        after, report = time.monotonic(), frame.report
        latency = report.latency_ms / 1000
        assert before - started - 0.001 < report.seconds + latency < after - asked + 0.001
        latencies.append(latency)
        if report.seconds < 0:  # it waits for its look-ahead
            continue
        moves = bool(np.abs(frame.splats.means - quiet).max() > 1e-3)
        # Its windows reach a little ahead of the moment.
        assert report.seconds > begins - 0.2 if moves else report.seconds < begins + 0.1
    assert 0 < report.peak <= 1 and 0 < report.rms < report.peak
    assert report.overruns == 0 and not report.settling
    microphone.stop()
    # Look-ahead, the rest of a step and half a window come to at least 80 ms.
    assert min(latencies) > 0.08


def test_a_deform_is_answered_beside_a_live_voice(avatar, engine):
    worker = engine(SPEAKS)
    microphone = microphone_of(worker)
    microphone.start(avatar)
    track = track_from_waveform(from_samples(vowel(RATE), RATE), SPEC)
    wanted = BuiltinEngine("numpy").deform(avatar, track, MOMENT)
    assert microphone.frame(avatar, MOMENT).splats.means.shape == wanted.means.shape
    assert np.array_equal(worker.deform(avatar, track, MOMENT).means, wanted.means)


def test_a_device_that_is_lost_ends_it_with_a_reason(avatar, engine):
    body = f"devices.open_source = lambda label: fed(vowel({RATE}), {RATE}, 0.4)"
    microphone = microphone_of(engine(body))
    microphone.start(avatar)
    with pytest.raises(EngineError, match=r"'Fed, Tests' was lost: it was pulled out"):
        while True:
            microphone.frame(avatar, MOMENT)
    microphone.stop()
    with pytest.raises(EngineError, match="again"):
        microphone.frame(avatar, MOMENT)


def test_devices_are_listed_and_none_is_a_reason(avatar, engine):
    microphone = microphone_of(engine(LISTS))
    assert microphone.devices() == [Device("Fed", "Tests", 1, 16000, True)]
    with pytest.raises(EngineError, match="'Other' is not connected"):
        microphone.start(avatar, "Other")
    microphone = microphone_of(engine("devices.input_devices = lambda: []"))
    with pytest.raises(EngineError, match="connect a microphone"):
        microphone.start(avatar)


def test_without_sounddevice_the_reason_says_what_to_install(avatar, engine):
    microphone = microphone_of(engine("sys.modules['sounddevice'] = None"))
    for ask in (microphone.devices, lambda: microphone.start(avatar)):
        with pytest.raises(MissingPackageError, match=r"pip install sounddevice.*libportaudio2"):
            ask()


def test_a_still_hears_nothing(avatar, engine, tmp_path):
    save_avatar(replace(avatar, features=None, network=None), tmp_path / "still.egs")
    still = load_avatar(tmp_path / "still.egs")
    with pytest.raises(FeatureMismatchError, match="still"):
        microphone_of(engine(SPEAKS)).start(still)


def test_a_worker_that_dies_ends_it_and_the_next_start_works(avatar, engine):
    worker = engine(SPEAKS)
    microphone = microphone_of(worker)
    microphone.start(avatar)
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(WorkerError):
        while True:
            microphone.frame(avatar, MOMENT)
    microphone.stop()
    with pytest.raises(WorkerError, match="start live again"):  # another worker, which is not asked
        microphone.frame(avatar, MOMENT)
    microphone.start(avatar)
    assert microphone.frame(avatar, MOMENT).report.overruns == 0


def test_a_frame_before_the_start_is_refused(avatar, engine):
    microphone = microphone_of(engine(SPEAKS))
    with pytest.raises(WorkerError, match="start live"):
        microphone.frame(avatar, MOMENT)
    microphone.stop()


def test_an_engine_without_worker_says_what_to_do():
    with pytest.raises(EngineError, match="no worker Python is set; set the worker up"):
        microphone_of(BuiltinEngine("numpy", "no worker Python is set"))


def test_the_fake_obeys_and_fails_when_told_to(avatar):
    fake = FakeMicrophone(fail_at=2)
    assert fake.start(avatar) == fake.devices()[0].label == "Fake, Tests"
    assert len(fake.frame(avatar, MOMENT).splats.means) == 120
    with pytest.raises(EngineError, match="lost"):
        fake.frame(avatar, MOMENT)
    with pytest.raises(EngineError, match="no input device"):
        FakeMicrophone(found=[]).start(avatar)
