"""The worker process: same pictures, and no failure of it loses a frame."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.bake import loop
from core.engine import process as process_module
from core.engine import worker as worker_module
from core.engine.builtin import BuiltinEngine
from core.engine.choose import open_engine
from core.engine.process import WorkerProcess
from core.engine.worker import WorkerEngine
from core.errors import ArgumentError, EngineError, InputError, OutputError, WorkerError
from core.records.moment import Moment
from core.system.leftovers import part_of
from tests.support.talking import files, job_for, small_avatar, sound
from tests.support.waiting import LIMIT, alive, until
from tests.support.wrapped_worker import DIES, STOPS, WAITS, wrapped

PYTHON = Path(sys.executable)
posix = pytest.mark.skipif(os.name != "posix", reason="needs signals and scripts with #!")


@pytest.fixture(scope="module")
def egs(tmp_path_factory):
    path = tmp_path_factory.mktemp("avatar") / "small.egs"
    return path, small_avatar(path)


@pytest.fixture(scope="module")
def expected(egs, tmp_path_factory):
    """What the built-in engine on numpy writes."""
    folder = tmp_path_factory.mktemp("expected")
    list(BuiltinEngine("numpy").bake(job_for(*egs, folder, count=6)))
    return files(folder)


@pytest.fixture
def worker(tmp_path):
    opened = []

    def make(python=PYTHON, **options):
        engine = WorkerEngine(
            python, tmp_path / "log" / "worker.log", backend="numpy", back_off=0.01, **options
        )
        opened.append(engine)
        return engine

    yield make
    for engine in opened:
        engine.close()
        assert not engine._files.folder.exists()


def test_the_builtin_engine_reads_an_avatar_once(egs, tmp_path, monkeypatch):
    """A render of Blender's is a bake for each frame."""
    read, real = [], loop.load_avatar
    monkeypatch.setattr(loop, "load_avatar", lambda path: read.append(path) or real(path))
    engine = BuiltinEngine("numpy")
    for number in range(3):
        list(engine.bake(job_for(*egs, tmp_path / str(number), count=1)))
    assert read == [egs[0]]
    other = tmp_path / "other.egs"
    list(engine.bake(job_for(other, small_avatar(other, 90), tmp_path / "o", count=1)))
    assert read == [egs[0], other]


def test_worker_and_builtin_write_the_same_bytes(egs, expected, worker, tmp_path):
    engine = worker()
    job = job_for(*egs, tmp_path / "out", count=6)
    told = [p for p in engine.bake(job) if p.number is not None]
    assert files(job.directory) == expected
    assert [(p.done, p.number, p.path) for p in told] == [
        (n, n, job.directory / f"frame_{n:04d}.png") for n in range(1, 7)
    ]
    assert engine.status().line() == "worker: numpy on CPU"


def test_worker_and_builtin_deform_alike(egs, worker):
    _, avatar = egs
    engine, builtin = worker(), BuiltinEngine("numpy")
    for seconds in (0.0, 0.13, 2.0):
        moment = Moment(seconds, 0.3, np.linspace(0, 1, 12, dtype=np.float32), 0.8)
        ours = builtin.deform(avatar, sound(), moment)
        theirs = engine.deform(avatar, sound(), moment)
        for field in ("means", "quats", "scales", "opacities", "sh"):
            assert np.array_equal(getattr(ours, field), getattr(theirs, field)), field


@posix
def test_a_killed_worker_starts_again_and_no_frame_is_missing(egs, expected, worker, tmp_path):
    engine = worker(wrapped(tmp_path, STOPS))
    job = job_for(*egs, tmp_path / "out", count=6)
    notes = []
    for progress in engine.bake(job):
        if progress.number == 2:
            part_of(job.directory / "frame_0003.png", process=engine.pid).write_bytes(
                b"half a file"
            )
            os.kill(engine.pid, signal.SIGKILL)
        notes += [progress.note] if progress.note else []
    assert files(job.directory) == expected  # and no temporary
    assert len(notes) == 1 and "worker.log" in notes[0]
    assert engine.status().name == "worker"


@posix
def test_a_silent_worker_is_killed_and_started_again(egs, expected, worker, tmp_path):
    engine = worker(wrapped(tmp_path, STOPS), silence=LIMIT)
    job = job_for(*egs, tmp_path / "out", count=6)
    first, notes = None, []
    for progress in engine.bake(job):
        if progress.number == 1 and first is None:
            first = engine.pid
            os.kill(first, signal.SIGSTOP)
        if first is not None and engine.pid == first:
            engine._run.result()._last_message -= LIMIT  # as if so much time had passed
        notes += [progress.note] if progress.note else []
    assert files(job.directory) == expected
    assert "silent" in notes[0] and engine.pid != first
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


@posix
def test_after_the_tries_the_builtin_engine_goes_on_and_says_why(egs, expected, worker, tmp_path):
    python = wrapped(tmp_path, DIES)
    engine = worker(python, tries=2)
    job = job_for(*egs, tmp_path / "out", count=6)
    notes = []
    for progress in engine.bake(job):
        if progress.number == 2:
            (engine._files.folder / "stop").write_bytes(b"")
        notes += [progress.note] if progress.note else []
    assert files(job.directory) == expected
    assert len(notes) == 3 and "code 7" in notes[0]
    status = engine.status()
    assert status.name == "builtin" and "failed 2 times" in status.reason
    assert notes[-1] == status.reason
    assert engine.deform(egs[1], sound(), job.frames[0].moment).means.shape == (120, 3)


@posix
def test_stray_output_goes_to_the_log(egs, expected, worker, tmp_path):
    code = "every_frame(lambda n: (print('stray'), os.write(1, b'raw bytes'), os.read(0, 9)))"
    engine = worker(wrapped(tmp_path, code))
    list(engine.bake(job_for(*egs, tmp_path / "out", count=6)))
    assert files(tmp_path / "out") == expected
    engine.close()
    log = (tmp_path / "log" / "worker.log").read_bytes()
    assert log.count(b"stray") == log.count(b"raw bytes") == 6


@posix
def test_closing_the_iterator_stops_within_a_frame(egs, worker, tmp_path, monkeypatch):
    """The third frame is in hand until the worker has read the cancel."""
    monkeypatch.setattr(worker_module, "CANCEL_LIMIT", LIMIT)
    engine = worker(wrapped(tmp_path, WAITS))
    job = job_for(*egs, tmp_path / "out", count=12)
    frames, ticks = engine.bake(job), 0
    while next(frames).done < 2:
        pass
    while ticks < 20:  # it returns although no frame is finished
        assert next(frames).done == 2
        ticks += 1
    assert process_module.TICK < 0.1
    frames.close()
    kept = files(job.directory)
    assert len(kept) in (2, 3) and all(name.endswith(".png") for name in kept)
    pid = engine.pid
    again = job_for(*egs, tmp_path / "again", count=1)
    assert [p.number for p in engine.bake(again)][-1] == 1 and engine.pid == pid


def test_errors_cross_with_class_and_text(egs, worker, tmp_path):
    engine, builtin = worker(), BuiltinEngine("numpy")
    (tmp_path / "file").write_bytes(b"")
    jobs = {
        InputError: job_for(*egs, tmp_path / "out", avatar_hash="0" * 64),
        OutputError: job_for(*egs, tmp_path / "file" / "out"),
    }
    for kind, job in jobs.items():
        texts = []
        for one in (engine, builtin):
            with pytest.raises(kind) as caught:
                list(one.bake(job))
            assert type(caught.value) is kind
            texts.append(str(caught.value))
        assert texts[0] == texts[1] and "\n" not in texts[0]
    assert engine.status().name == "worker"


def test_a_full_temporary_folder_is_an_error_in_one_line(egs, worker, tmp_path):
    engine = worker()
    engine.start()
    engine._files.folder.rename(tmp_path / "gone")
    with pytest.raises(EngineError, match="make room"):
        list(engine.bake(job_for(*egs, tmp_path / "out")))
    (tmp_path / "gone").rename(engine._files.folder)


def test_a_worker_ends_when_its_client_is_gone(tmp_path):
    process = WorkerProcess(PYTHON, tmp_path, tmp_path / "log", 30)
    process._pipe.close()
    process._popen.wait(LIMIT)
    process.close()


def test_a_worker_ends_when_it_is_told_to_and_leaves_no_source_cache(egs, worker, monkeypatch):
    monkeypatch.setattr(WorkerProcess.close, "__defaults__", (LIMIT,))  # patience
    engine = worker()
    engine.start()
    process = engine._run.result()
    engine.close()
    assert process._popen.returncode == 0
    engine.close()
    with pytest.raises(WorkerError, match="closed"):
        engine.deform(egs[1], sound(), Moment(0, 0, np.zeros(12, np.float32)))


@posix
@pytest.mark.parametrize(
    "code",
    [
        "import core.worker.server as s; s.VERSION = 99",
        "os.write(1, b'not a message, by far'); time.sleep(5)",
        "sys.exit('no numpy')",
    ],
)
def test_what_cannot_serve_is_an_error_or_a_visible_fallback(tmp_path, code):
    python, log = wrapped(tmp_path, code), tmp_path / "log"
    with pytest.raises(WorkerError) as caught:
        open_engine("worker", python, log)
    assert "\n" not in str(caught.value)
    engine = open_engine("auto", python, log, backend="numpy")
    assert engine.status().name == "builtin" and engine.status().reason


@posix
def test_a_worker_that_says_nothing_runs_into_the_time_limit(tmp_path):
    engine = WorkerEngine(wrapped(tmp_path, "time.sleep(600)"), tmp_path / "log", start_limit=0.5)
    with pytest.raises(WorkerError, match=r"no answer in 0\.5 s"):
        engine.start()
    engine.close()


def test_which_engine_opens(tmp_path):
    assert open_engine("builtin").status().reason == ""
    assert "no worker Python" in open_engine("auto").status().reason
    for kind, error in (("worker", WorkerError), ("other", ArgumentError)):
        with pytest.raises(error):
            open_engine(kind)
    with pytest.raises(WorkerError, match="cannot start"):
        open_engine("worker", tmp_path / "none", tmp_path / "log")
    engine = open_engine("auto", PYTHON, tmp_path / "log", backend="numpy")
    assert engine.status().line() == "worker: numpy on CPU"
    engine.close()


def test_an_old_log_is_put_aside(tmp_path):
    log = tmp_path / "worker.log"
    log.write_bytes(b"x" * 1_000_001)
    WorkerProcess(PYTHON, tmp_path, log, 30).close()
    assert (tmp_path / "worker.log.1").stat().st_size == 1_000_001
    assert log.stat().st_size < 1_000_001


def test_nothing_is_left_of_a_client_that_was_killed(tmp_path):
    code = (
        "import sys, time, pathlib; from core.engine.worker import WorkerEngine as W\n"
        "e = W(pathlib.Path(sys.executable), pathlib.Path(sys.argv[1]), backend='numpy')\n"
        "e.start(); print(e.pid, e._files.folder, flush=True); time.sleep(600)"
    )
    root = Path(__file__).parents[2]
    client = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "log")], stdout=subprocess.PIPE, cwd=root
    )
    with client, client.stdout as out:
        pid, folder = out.readline().decode().split()
        client.kill()
    until(lambda: not Path(folder).exists() and not alive(int(pid)))
