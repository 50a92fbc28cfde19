"""Baking with ten minutes of sound: the window responds while features are computed.

Times are processor time of Blender's own thread, so that a busy machine does not matter."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.audio import features
from egstalker.core.audio.extractor import extractor_of
from egstalker.core.engine import worker
from egstalker.core.records.voice import SoundPart
from egstalker.core.system.steps import finished
from egstalker.egstalker_blender import preferences
from egstalker.egstalker_blender.gather import job_steps
from egstalker.egstalker_blender.sound import decode
from egstalker.egstalker_blender.timeline import timer

from tests.blender.test_bake_operator import ESC, TIMER, Operator, Window
from tests.support import waiting
from tests.support.blender import write_wav
from tests.support.processes import processor_seconds

SECONDS = 600
LIMIT = 0.2  # seconds of Blender's thread


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten minutes at 48 kHz, so that they have to be resampled too."""
    samples = 0.1 * np.random.default_rng(0).standard_normal(SECONDS * 48000)
    return write_wav(tmp_path_factory.mktemp("long") / "speech.wav", samples, 48000)


@pytest.fixture
def context(head: Any, speech: Path) -> Any:
    bpy.ops.egstalker.link_sound_file(filepath=str(speech))
    head.egstalker.range_source = "SOUND"
    manager = Window()
    return SimpleNamespace(
        object=head,
        scene=bpy.context.scene,
        window=None,
        window_manager=manager,
        workspace=manager,
        evaluated_depsgraph_get=bpy.context.evaluated_depsgraph_get,
    )


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.thread_time()
    result = work()
    return result, time.thread_time() - start


def pressed(context: Any, engine: str) -> tuple[Operator, float]:
    """Bake from the press to its first progress, and what that took Blender's thread."""
    operator = Operator()
    operator.engine = engine
    operator._engine()  # opened before, as by the viewport

    def press() -> None:
        assert operator.invoke(context, TIMER) == {"RUNNING_MODAL"}
        assert operator.modal(context, TIMER) == {"RUNNING_MODAL"}

    _, seconds = timed(press)
    assert context.window_manager.calls[0] == f"0..{25 * SECONDS}"
    return operator, seconds


def until_computing(operator: Operator, context: Any) -> float:
    """Ticks until the features are said to be computed; the longest, in Blender's thread."""
    longest, end = 0.0, time.monotonic() + waiting.LIMIT
    while "computing sound features" not in (context.workspace.text or ""):
        assert time.monotonic() < end
        result, seconds = timed(lambda: operator.modal(context, TIMER))
        assert result == {"RUNNING_MODAL"}, operator.reports
        longest = max(longest, seconds)
    return longest


def gathered_by(operator: Operator, context: Any) -> list[Any]:
    return finished(operator._gather(context, operator.heads(context)))


def compressed(aud: Any, path: Path, seconds: float) -> Path:
    samples = 0.1 * np.random.default_rng(1).standard_normal(round(seconds * 48000))
    aud.Sound.buffer(np.float32(samples)[:, None], 48000).write(
        str(path), 48000, aud.CHANNELS_MONO, aud.FORMAT_S16, aud.CONTAINER_FLAC, aud.CODEC_FLAC
    )
    return path


def decoding_threads(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """Those that decode a sound from now on."""
    threads: list[threading.Thread] = []
    real = decode._decode

    def watched(path: Path) -> Any:
        threads.append(threading.current_thread())
        return real(path)

    monkeypatch.setattr(decode, "_decode", watched)
    return threads


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Stands in for the extractor: `asked` are the threads that want a piece; each piece waits for
    `go`."""
    seen = SimpleNamespace(asked=[], go=threading.Event())

    class Slow:
        def __init__(self, real: Any) -> None:
            self._real = real

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

        def pieces(self, samples: Any, part: Any = None) -> Generator[float, None, Any]:
            for k in range(1, 100):
                seen.asked.append(threading.current_thread())
                seen.go.wait(waiting.LIMIT)
                yield k / 100
            return self._real.pieces(samples, part)

    monkeypatch.setattr(features, "extractor_of", lambda spec: Slow(extractor_of(spec)))
    yield seen
    seen.go.set()


def test_builtin_starts_at_once_and_stops_at_once(context: Any, pieces: Any) -> None:
    operator, seconds = pressed(context, "builtin")
    assert seconds < LIMIT and not pieces.asked
    assert until_computing(operator, context) < LIMIT
    end = time.monotonic() + waiting.LIMIT
    while not pieces.asked:
        assert time.monotonic() < end
        assert operator.modal(context, TIMER) == {"RUNNING_MODAL"}
    assert threading.main_thread() not in pieces.asked
    begun = len(pieces.asked)
    result, seconds = timed(lambda: operator.modal(context, ESC))  # the piece in hand still waits
    assert result == {"CANCELLED"} and seconds < LIMIT
    pieces.go.set()
    pieces.asked[0].join(waiting.LIMIT)
    assert not pieces.asked[0].is_alive() and len(pieces.asked) == begun


def test_the_worker_computes_the_features(
    context: Any, pieces: Any, tmp_path: Path, head: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not os.environ.get(preferences.WORKER_PYTHON_VARIABLE):
        pytest.skip(f"needs {preferences.WORKER_PYTHON_VARIABLE}, a Python that can run the worker")
    operator, seconds = pressed(context, "worker")
    assert seconds < LIMIT
    assert until_computing(operator, context) < 2 * LIMIT  # one tick writes 15,000 moments
    monkeypatch.setattr(worker, "CANCEL_LIMIT", waiting.LIMIT)  # after it the worker is killed
    pid = operator._engine().pid
    start = processor_seconds(pid)
    assert operator.modal(context, ESC) == {"CANCELLED"}
    assert operator._engine().pid == pid and processor_seconds(pid) - start < 2
    assert not pieces.asked  # in this process


def test_a_compressed_sound_is_decoded_on_another_thread(
    context: Any, head: Any, pieces: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aud = pytest.importorskip("aud", reason="this Blender has no audaspace")
    path = compressed(aud, tmp_path / "speech.flac", 20.5)
    bpy.ops.egstalker.link_sound_file(filepath=str(path))
    threads = decoding_threads(monkeypatch)
    (gathered,) = gathered_by(Operator(), context)
    assert not threads
    job = finished(job_steps(gathered))
    assert len(threads) == 1 and threads[0] is not threading.main_thread()
    assert [task.number for task in job.frames] == list(range(1, 1 + 25 * 20 + 13))
    assert np.array_equal(job.voice.samples, decode.waveform_of_file(path).samples)


def test_a_compressed_file_of_unknown_length_too(
    context: Any, head: Any, fake: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its length gives the frames, so the scene is read after it is decoded."""
    aud = pytest.importorskip("aud", reason="this Blender has no audaspace")
    path = compressed(aud, tmp_path / "speech.flac", 2.5)
    bpy.ops.egstalker.link_sound_file(filepath=str(path), add_strip=False)
    threads, go = decoding_threads(monkeypatch), threading.Event()
    real = decode.from_samples
    monkeypatch.setattr(
        decode, "from_samples", lambda *given: go.wait(waiting.LIMIT) and real(*given)
    )
    operator, calls = Operator(), context.window_manager.calls
    assert operator.invoke(context, TIMER) == {"RUNNING_MODAL"}
    assert operator.modal(context, TIMER) == {"RUNNING_MODAL"}
    assert calls[0] == "0..0" and threads and threading.main_thread() not in threads
    go.set()
    waiting.until(lambda: operator.modal(context, TIMER) == {"FINISHED"})
    assert "0..63" in calls and operator.reports == ["Bake finished"]
    assert len(list((tmp_path / "out").iterdir())) == 63


def test_a_head_that_is_removed_meanwhile_is_no_crash(
    context: Any, head: Any, fake: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aud = pytest.importorskip("aud", reason="this Blender has no audaspace")
    path = compressed(aud, tmp_path / "speech.flac", 0.5)
    bpy.ops.egstalker.link_sound_file(filepath=str(path), add_strip=False)
    go, real = threading.Event(), decode.from_samples
    monkeypatch.setattr(
        decode, "from_samples", lambda *given: go.wait(waiting.LIMIT) and real(*given)
    )
    operator = Operator()
    assert operator.invoke(context, TIMER) == {"RUNNING_MODAL"}
    bpy.data.objects.remove(head)
    go.set()
    waiting.until(lambda: operator.modal(context, TIMER) == {"CANCELLED"})
    assert operator.reports == ["a head was removed before its bake began"]


def test_what_the_timeline_has_is_used_again(context: Any, head: Any, speech: Path) -> None:
    operator = Operator()
    assert gathered_by(operator, context)[0].voice == SoundPart(
        speech, 0.0, float(SECONDS), 1 / 25, "speech"
    )
    timer.mark(scene=True)
    service = timer.service()
    assert service is not None

    def loaded() -> bool:
        timer.tick()
        found = service.heads.get(head.session_uid)
        return found is not None and found.sound is not None

    waiting.until(loaded)
    found = service.heads[head.session_uid]
    (gathered,) = gathered_by(operator, context)
    assert gathered.voice is found.sound.track and gathered.avatar is found.avatar
    write_wav(speech.with_name("other.wav"), np.zeros(16000))
    bpy.ops.egstalker.link_sound_file(filepath=str(speech.with_name("other.wav")))
    assert isinstance(gathered_by(operator, context)[0].voice, SoundPart)
