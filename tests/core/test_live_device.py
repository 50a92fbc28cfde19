"""A real sound system with a fake device: PulseAudio, fed through a pipe in real time."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from core.engine.microphone import microphone_of
from core.engine.worker import WorkerEngine
from core.errors import EngineError
from tests.core.test_live_worker import MOMENT, avatar  # noqa: F401
from tests.support.live_sources import vowel
from tests.support.waiting import until

RATE = 48000
BEGINS = 1.5  # seconds of silence before the vowel
ALSA = """
pcm.voice { type pulse device "voice" hint { show on description "Voice" } }
pcm.!default { type pulse device "voice" hint { show on description "Voice" } }
ctl.!default { type pulse }
"""


def why_not() -> str:
    """What a virtual device lacks here, empty where it can be had."""
    if not sys.platform.startswith("linux"):
        return "PulseAudio and ALSA (Linux)"
    if not shutil.which("pulseaudio"):
        return "pulseaudio"
    if not list(Path("/usr").glob("lib*/**/alsa-lib/libasound_module_pcm_pulse.so")):
        return "ALSA's PulseAudio plugin (libasound2-plugins)"
    if importlib.util.find_spec("sounddevice") is None:
        return "sounddevice"
    done = subprocess.run([sys.executable, "-c", "import sounddevice"], capture_output=True)
    return "" if done.returncode == 0 else "PortAudio (libportaudio2)"


@pytest.fixture(scope="module")
def sound_system(tmp_path_factory):
    """A PulseAudio server of its own whose one source is a pipe."""
    if lacking := why_not():
        pytest.skip(f"a virtual input device needs {lacking}")
    folder = tmp_path_factory.mktemp("pulse", numbered=True)
    folder.chmod(0o700)
    (folder / "asound.conf").write_text(ALSA)
    settings = {
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "PULSE_RUNTIME_PATH": str(folder),
        "ALSA_CONFIG_PATH": str(folder / "asound.conf"),
    }
    pipe = f"module-pipe-source source_name=voice file={folder}/pipe rate={RATE} channels=1"
    command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "-L", pipe, "-L", "module-native-protocol-unix"],
            env={**os.environ, **settings},
            stdout=log,
            stderr=log,
        )
    files = folder / "native", folder / "pipe"
    until(lambda: server.poll() is not None or all(file.exists() for file in files))
    if server.poll() is not None:
        pytest.skip("a virtual input device needs a PulseAudio that starts; this one does not")
    yield settings, folder / "pipe", server
    server.kill()
    server.wait()


@pytest.fixture
def microphone(sound_system, monkeypatch, tmp_path):
    for name, value in sound_system[0].items():
        monkeypatch.setenv(name, value)
    engine = WorkerEngine(Path(sys.executable), tmp_path / "worker.log", backend="numpy")
    yield microphone_of(engine)
    engine.close()


class Speaker:
    """Writes samples into the pipe as time goes by."""

    def __init__(self, pipe, samples):
        self.began = time.monotonic()
        self._pcm = np.round(samples * 32767).astype("<i2")
        self._pipe, self._ended = pipe, threading.Event()
        self._thread = threading.Thread(target=self._speak, daemon=True)
        self._thread.start()

    def _speak(self):
        size = RATE // 100
        # The pipe breaks where a test ends the server.
        with contextlib.suppress(BrokenPipeError), self._pipe.open("wb", buffering=0) as pipe:
            for start in range(0, len(self._pcm) - size, size):
                due = self.began + (start + size) / RATE
                if self._ended.wait(max(0.0, due - time.monotonic())):
                    return
                pipe.write(self._pcm[start : start + size].tobytes())

    def close(self):
        self._ended.set()
        self._thread.join(5)


def test_a_vowel_of_a_real_device_is_seen_within_the_latency(sound_system, microphone, avatar):  # noqa: F811
    assert any("voice" in device.name for device in microphone.devices())
    speaker = Speaker(sound_system[1], vowel(RATE, BEGINS, 6.0))
    microphone.start(avatar)
    quiet, seen, frame = None, 0.0, None
    while not seen and time.monotonic() < speaker.began + 5:
        frame = microphone.frame(avatar, MOMENT)
        now = time.monotonic() - speaker.began
        if now < BEGINS - 0.1:
            quiet = frame.splats.means
        elif np.abs(frame.splats.means - quiet).max() > 1e-3:
            seen = now
    microphone.stop()
    speaker.close()
    assert BEGINS < seen < BEGINS + frame.report.latency_ms / 1000 + 0.05
    assert 80 < frame.report.latency_ms < 1000 and frame.report.overruns == 0


def test_a_device_that_does_not_exist_is_a_reason(sound_system, microphone, avatar):  # noqa: F811
    with pytest.raises(EngineError, match="'No, Such' is not connected"):
        microphone.start(avatar, "No, Such")
    assert microphone.start(avatar, microphone.devices()[0].label)


def test_a_computer_without_devices_says_so(microphone, avatar, monkeypatch, tmp_path):  # noqa: F811
    (tmp_path / "none.conf").write_text("pcm.none { type hw card 9 }\n")
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / "none.conf"))
    assert microphone.devices() == []
    with pytest.raises(EngineError, match="no input device; connect a microphone"):
        microphone.start(avatar)


def test_a_sound_system_that_goes_away_is_a_lost_device(sound_system, microphone, avatar):  # noqa: F811
    speaker = Speaker(sound_system[1], vowel(RATE, 0.0, 20.0))
    microphone.start(avatar)
    microphone.frame(avatar, MOMENT)
    sound_system[2].kill()
    limit = time.monotonic() + 10
    with pytest.raises(EngineError, match="was lost"):
        while time.monotonic() < limit:
            microphone.frame(avatar, MOMENT)
    microphone.stop()
    speaker.close()
