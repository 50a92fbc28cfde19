"""Computing and writing overlap, and nothing of a bake grows with its length."""

from __future__ import annotations

import threading
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.bake import loop as module
from core.bake.backends import Backend, backend_named, remembering
from core.bake.loop import bake
from core.bake.plan import training_tasks
from core.errors import OutputError
from core.images import queue
from core.images.queue import WriteQueue
from core.system.files import stage
from tests.support.talking import SIZE, files, job_for, small_avatar
from tests.support.waiting import LIMIT


@pytest.fixture(scope="module")
def egs(tmp_path_factory):
    path = tmp_path_factory.mktemp("avatar") / "small.egs"
    return path, small_avatar(path)


@pytest.fixture(scope="module")
def still() -> Backend:
    """Draws nothing, at once."""

    def rasterise(splats, camera, background=None, sh_degree=3):
        return np.zeros((camera.height, camera.width, 4), np.float32)

    return remembering(replace(backend_named("numpy"), rasterise=rasterise))


def test_the_next_frame_is_computed_while_one_is_written(egs, still, tmp_path, monkeypatch):
    second = threading.Event()
    count = 0

    def rasterise(*arguments):
        nonlocal count
        count += 1
        if count == 2:
            second.set()
        return still.rasterise(*arguments)

    def slow(*arguments):
        assert second.wait(LIMIT), "the first file was written before a second frame was begun"
        return stage_image(*arguments)

    stage_image = module.stage_image
    monkeypatch.setattr(module, "stage_image", slow)
    told = list(bake(job_for(*egs, tmp_path, count=5), replace(still, rasterise=rasterise)))
    assert [progress.number for progress in told] == [None, 1, 2, 3, 4, 5]


def test_frames_are_made_side_by_side_with_the_same_bytes(egs, tmp_path):
    """Two at once, on numpy's backend, which every Python has: the same files in the same order as
    one after the other."""
    meeting, drawn = threading.Barrier(2, timeout=LIMIT), []
    plain = remembering(backend_named("numpy"))

    def rasterise(*arguments):
        if len(drawn) < 2:
            drawn.append(threading.get_ident())
            meeting.wait()
        return plain.rasterise(*arguments)

    both = replace(plain, rasterise=rasterise, side_by_side=2)
    alone, together = (job_for(*egs, tmp_path / name, count=6) for name in ("one", "two"))
    list(bake(alone, plain))
    told = [progress.number for progress in bake(together, both)]
    assert told == [None, 1, 2, 3, 4, 5, 6] and len(set(drawn)) == 2
    assert files(together.directory) == files(alone.directory)


def test_large_pictures_are_made_one_at_a_time(egs, still, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 2 * SIZE * SIZE * module.BYTES_PER_PIXEL - 1)
    seen = set()

    def rasterise(*arguments):
        seen.add(threading.current_thread().name)
        return still.rasterise(*arguments)

    list(bake(job_for(*egs, tmp_path), replace(still, rasterise=rasterise, side_by_side=4)))
    assert seen == {threading.current_thread().name}


def test_files_get_their_names_in_order(egs, still, tmp_path, monkeypatch):
    """Even where a later one is encoded first."""

    second = threading.Event()

    def stage_image(path: Path, *arguments):
        if path.stem.endswith("1"):
            assert second.wait(LIMIT)
        staged = original(path, *arguments)
        if path.stem.endswith("2"):
            second.set()
        return staged

    original = module.stage_image
    monkeypatch.setattr(queue, "available_cores", lambda: 2)
    monkeypatch.setattr(module, "stage_image", stage_image)
    for done, progress in enumerate(bake(job_for(*egs, tmp_path, count=6), still)):
        named = [path.name for path in sorted(tmp_path.glob("*.png"))]
        assert named == [f"frame_{n:04d}.png" for n in range(1, done + 1)]
        assert progress.path is None or progress.path.name == named[-1]


def test_an_error_in_a_writing_thread_surfaces_in_its_turn(egs, still, tmp_path, monkeypatch):
    def stage_image(path: Path, *arguments):
        if path.stem.endswith("3"):
            raise OutputError("frame 3 cannot be written: no space; free some")
        return original(path, *arguments)

    original = module.stage_image
    monkeypatch.setattr(module, "stage_image", stage_image)
    with pytest.raises(OutputError, match="frame 3"):
        list(bake(job_for(*egs, tmp_path, count=6), still))
    assert list(files(tmp_path)) == ["frame_0001.png", "frame_0002.png"]


def test_an_error_while_computing_leaves_only_what_was_told(egs, still, tmp_path):
    def rasterise(splats, camera, *others):
        calls.append(camera)
        if len(calls) == 4:
            raise ZeroDivisionError
        return still.rasterise(splats, camera, *others)

    calls: list[object] = []
    told = []
    with pytest.raises(ZeroDivisionError):
        for progress in bake(job_for(*egs, tmp_path, count=6), replace(still, rasterise=rasterise)):
            told += [progress.path.name] if progress.path else []
    assert list(files(tmp_path)) == told


def test_memory_does_not_grow_with_the_number_of_frames(egs, still, tmp_path):
    """The peak depends on how many pictures happen to wait, at most a few; what a bake kept of
    every frame would be in it too."""
    path, avatar = egs

    def peak_of(count: int) -> int:
        frames = training_tasks(avatar, range(1, count + 1))
        steps = bake(replace(job_for(path, avatar, tmp_path / str(count)), frames=frames), still)
        for _ in range(20):
            next(steps)
        tracemalloc.start()
        try:
            assert sum(1 for _ in steps) == count + 1 - 20
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many, picture = 80, 900, SIZE * SIZE * 16
    assert peak_of(many) < peak_of(few) + 13 * picture  # 600 bytes a frame


def test_large_pictures_wait_two_at_a_time(tmp_path):
    def begin(name: str):
        return lambda: stage(tmp_path / name, [b"x"]) if go.wait(LIMIT) else None

    go = threading.Event()
    with WriteQueue(picture_bytes=1 << 30, threads=4) as queue:
        queue.put(begin("a"))
        assert not queue.ready()
        queue.put(begin("b"))
        assert queue.ready()
        go.set()
        queue.finish()
    assert list(files(tmp_path)) == ["a"]
