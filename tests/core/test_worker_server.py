"""The worker's loop, in this process, over two pipes."""

from __future__ import annotations

import os
import threading
from dataclasses import replace

import numpy as np
import pytest

from core.bake.backends import backend_named
from core.bake.deformers import StillDeformer
from core.records.moment import Moment
from core.worker import server as server_module
from core.worker.exchange import (
    copy_out,
    map_splats,
    moment_fields,
    voice_fields,
    write_job,
    write_track,
)
from core.worker.protocol import VERSION, encode, read_message
from core.worker.server import Server
from tests.support.talking import files, job_for, small_avatar, sound
from tests.support.waiting import LIMIT, until


@pytest.fixture(scope="module")
def egs(tmp_path_factory):
    path = tmp_path_factory.mktemp("avatar") / "small.egs"
    return path, small_avatar(path)


class Client:
    """Talks to a server that runs in a thread; `gate` holds every deform and frame back."""

    def __init__(self, folder):
        self.folder, self.gate, self.busy = folder, threading.Semaphore(0), threading.Event()
        self.notes = ()
        theirs, self._out = os.pipe()
        ours, back = os.pipe()
        self.sink, self.source = os.fdopen(self._out, "wb"), os.fdopen(ours, "rb")
        self._theirs = (os.fdopen(theirs, "rb"), os.fdopen(back, "wb"))
        self.server = Server(*self._theirs, choose=self._choose, beat=0.05)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()

    def _choose(self, name):
        frozen = self

        class Gated(StillDeformer):
            @property
            def notes(self):
                return frozen.notes

            def encode_audio(self, windows):
                frozen.busy.set()
                assert frozen.gate.acquire(timeout=LIMIT)
                return super().encode_audio(windows)

        return replace(backend_named("numpy"), prepare=Gated, warm_up=self.warm_up)

    def warm_up(self):
        """Nothing to compile."""

    def send(self, kind, number, **fields):
        self.sink.write(encode({"type": kind, "id": number, **fields}))
        self.sink.flush()

    def hear(self):
        while (message := read_message(self.source)) is not None:
            if message["type"] != "heartbeat":
                return message
        return None

    def hello(self):
        self.send("hello", 1, version=VERSION, backend="numpy", folder=str(self.folder))
        return self.hear()

    def until_read(self, count):
        """Until that many requests have arrived and wait."""
        until(lambda: len(self.server._waiting) == count)

    def close(self):
        self.sink.close()
        self.gate.release(100)
        self.thread.join(LIMIT)
        assert not self.thread.is_alive()
        for stream in (self.source, *self._theirs):
            stream.close()


@pytest.fixture
def client(tmp_path):
    folder = tmp_path / "private"
    folder.mkdir()
    client = Client(folder)
    yield client
    client.close()


def test_hello_states_version_packages_backend_and_device(client):
    hello = client.hello()
    assert (hello["version"], hello["backend"], hello["device"]) == (VERSION, "numpy", "CPU")
    assert hello["packages"]["numpy"] == np.__version__


def test_another_protocol_version_is_refused(client):
    client.send("hello", 1, version=VERSION + 1, backend="numpy", folder=str(client.folder))
    answer = client.hear()
    assert answer["kind"] == "ProtocolError" and str(VERSION + 1) in answer["message"]


def test_nothing_is_done_before_hello_or_for_an_unknown_request(client):
    client.send("open", 1, path="x", hash="y")
    assert client.hear()["kind"] == "ProtocolError"
    client.hello()
    client.send("dance", 2)
    assert "'dance'" in client.hear()["message"]


def test_it_beats_while_it_waits(client):
    assert read_message(client.source) == {"type": "heartbeat"}


def test_bytes_that_are_no_message_end_it_with_a_reason(client):
    client.sink.write(b"\xff\xff\xff\xff")
    client.sink.flush()
    answer = client.hear()
    assert (answer["id"], answer["kind"]) == (0, "ProtocolError")
    client.thread.join(LIMIT)
    assert not client.thread.is_alive()


def deform(client, egs, number, seconds, out=None):
    out = out or f"splats-{number}.npy"
    map_splats(client.folder / out, len(egs[1].gaussians), create=True)
    moment = moment_fields(Moment(seconds, 0.0, np.zeros(12, np.float32)))
    client.send("deform", number, avatar=egs[1].content_hash, track="t.npy", out=out, moment=moment)


def opened(client, egs):
    client.hello()
    write_track(client.folder / "t.npy", sound())
    client.send("open", 2, path=str(egs[0]), hash=egs[1].content_hash)
    assert client.hear() == {"type": "result", "id": 2, "splats": len(egs[1].gaussians)}


def test_the_newest_deform_wins(client, egs):
    opened(client, egs)
    deform(client, egs, 3, 0.0)
    assert client.busy.wait(LIMIT)
    for number in (4, 5, 6):
        deform(client, egs, number, 0.1)
    client.until_read(3)
    client.gate.release(4)
    answers = [client.hear() for _ in range(4)]
    assert [(a["id"], a["type"]) for a in answers] == [
        (3, "result"),
        (4, "superseded"),
        (5, "superseded"),
        (6, "result"),
    ]
    count = len(egs[1].gaussians)
    block = map_splats(client.folder / "splats-6.npy", count, create=False)
    assert np.array_equal(copy_out(block, count).means, egs[1].gaussians.means)


def test_a_file_of_another_shape_or_place_is_refused(client, egs):
    opened(client, egs)
    client.gate.release(10)
    map_splats(client.folder / "short.npy", 3, create=True)
    moment = moment_fields(Moment(0.0, 0.0, np.zeros(12, np.float32)))
    for out in ("short.npy", "../out.npy", "", "none.npy"):
        fields = {"avatar": egs[1].content_hash, "track": "t.npy", "out": out, "moment": moment}
        client.send("deform", 9, **fields)
        assert client.hear()["kind"] == "ProtocolError"
    np.save(client.folder / "objects.npy", np.array([None]))
    client.send("deform", 9, **{**fields, "out": "short.npy", "track": "objects.npy"})
    assert client.hear()["kind"] == "ProtocolError"


def bake(client, egs, number, directory, count):
    write_track(client.folder / "b.npy", sound())
    job = job_for(*egs, directory, count=count)
    client.send(
        "bake",
        number,
        job=write_job(client.folder, f"f{number}.npy", job, voice_fields(job.voice, "b.npy")),
    )


def test_a_deform_is_answered_between_two_frames_of_a_bake(client, egs, tmp_path):
    opened(client, egs)
    bake(client, egs, 3, tmp_path / "out", 3)
    assert client.busy.wait(LIMIT)
    deform(client, egs, 4, 0.0)
    client.until_read(1)
    client.gate.release(10)
    told = [(m["id"], m["type"]) for m in (client.hear() for _ in range(6))]
    assert told.index((4, "result")) < told.index((3, "result")) == 5


def test_a_cancel_stops_within_a_frame(client, egs, tmp_path):
    opened(client, egs)
    bake(client, egs, 3, tmp_path / "out", 9)
    assert client.busy.wait(LIMIT)
    client.send("cancel", 0, target=3)
    until(lambda: 3 in client.server._cancelled)
    client.gate.release(10)
    told = [client.hear() for _ in range(3)]
    assert [m.get("done") for m in told] == [0, 1, None]
    assert told[-1]["kind"] == "CancelledError"
    assert list(files(tmp_path / "out")) == ["frame_0001.png"]


def test_a_job_arrives_as_it_was_sent(egs, tmp_path):
    from core.worker.exchange import read_job

    job = job_for(*egs, tmp_path / "out", count=5, stem="s_", file_format="exr", background=False)
    write_track(tmp_path / "t.npy", job.track)
    back = read_job(tmp_path, write_job(tmp_path, "f.npy", job, voice_fields(job.voice, "t.npy")))
    assert len(back.track) == len(job.track)
    for row in range(-12, len(job.track) + 12):
        assert np.array_equal(back.track.around(row), job.track.around(row))
    for field in ("avatar_path", "avatar_hash", "directory", "stem", "file_format", "background"):
        assert getattr(back, field) == getattr(job, field)
    for theirs, ours in zip(back.frames, job.frames, strict=True):
        assert np.array_equal(theirs.camera.viewmat, ours.camera.viewmat)
        assert (theirs.camera.K == ours.camera.K).all()
        assert theirs.number == ours.number
        assert np.array_equal(theirs.moment.pose, ours.moment.pose)
        assert theirs.moment.pose.dtype == np.float32
        assert (theirs.moment.seconds, theirs.moment.eye) == (ours.moment.seconds, ours.moment.eye)


def test_what_keeps_something_fast_from_being_used_is_told(client, egs):
    opened(client, egs)
    client.gate.release(10)
    for number, notes in ((3, ()), (4, ("no CUDA graph: busy", "slow"))):
        client.notes = notes
        deform(client, egs, number, 0.1 * number)
        assert client.hear() == {"type": "result", "id": number, "note": "; ".join(notes)}


def test_a_bake_does_not_say_that_it_loads(egs, client, tmp_path, monkeypatch):
    monkeypatch.setattr(server_module, "LOADING", LIMIT)
    joined = threading.Event()

    class Watched(threading.Thread):
        def join(self, timeout=None):
            joined.set()
            super().join(timeout)

    monkeypatch.setattr(threading, "Thread", Watched)
    client.warm_up = lambda: joined.wait(LIMIT)
    client.hello()
    client.gate.release(1)
    bake(client, egs, 2, tmp_path / "out", 1)
    assert not any("note" in client.hear() for _ in range(3))


def test_a_bake_says_that_it_waits_for_the_compiler(egs, client, tmp_path, monkeypatch):
    monkeypatch.setattr(server_module, "LOADING", 0.1)
    compiled = threading.Event()
    client.warm_up = lambda: compiled.wait(LIMIT)
    client.hello()
    bake(client, egs, 2, tmp_path / "out", 1)
    said = client.hear()
    assert (said["type"], said["done"]) == ("progress", 0) and "compiling" in said["note"]
    compiled.set()
    client.gate.release(1)
    assert [client.hear()["type"] for _ in range(3)] == ["progress", "progress", "result"]


def test_a_compiler_that_fails_leaves_the_worker_alive(client, capsys):
    def broken():
        raise RuntimeError("no compiler")

    client.warm_up = broken
    client.hello()
    client.server._warming.join(LIMIT)
    client.send("dance", 2)
    assert "'dance'" in client.hear()["message"]
    assert "no compiler" in capsys.readouterr().err
