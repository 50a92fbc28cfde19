"""Computed frames in memory and on disk: budget, order, keys that cannot be stale, bad files."""

from __future__ import annotations

import os
import shutil
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.engine.cache.disk import DiskCache
from core.engine.cache.frames import MOVED, Frame, MemoryCache, frame_key, frame_of, track_digest
from core.records.audio_track import AudioTrack
from core.records.gaussians import Splats
from core.records.moment import Moment

N = 50
FRAME_BYTES = 44 * N
BUDGET = 10 * FRAME_BYTES
RNG = np.random.default_rng(5)
SH = RNG.random((N, 16, 3), np.float32)
KEYS = [f"{i:040x}" for i in range(20)]


def splats(value: float, sh: Any = SH) -> Splats:
    parts = (np.full(shape, value, np.float32) for shape in ((N, 3), (N, 4), (N, 3), (N,)))
    return Splats(*parts, sh=sh)


def frame(value: float) -> Frame:
    return frame_of(splats(value), SH)


def same(a: Frame, b: Frame) -> bool:
    names = [field.name for field in fields(Splats)]
    return all(np.array_equal(getattr(a.splats(), n), getattr(b.splats(), n)) for n in names)


# Keys ---------------------------------------------------------------------------------------------


def changed(value: Any) -> Any:
    if value is None:  # the body's pose
        return np.ones(12, np.float32)
    if isinstance(value, np.ndarray):
        return np.nextafter(value, np.float32(9))
    return np.nextafter(value, 9.0).item()


def test_every_control_is_part_of_the_key() -> None:
    moment = Moment(1.25, 0.5, np.arange(12, dtype=np.float32))
    key = frame_key("a" * 64, "b" * 64, moment)
    assert key == frame_key("a" * 64, "b" * 64, replace(moment, pose=moment.pose.copy()))
    others = {
        frame_key("a" * 64, "b" * 64, replace(moment, **{f.name: changed(getattr(moment, f.name))}))
        for f in fields(Moment)
    }
    others |= {frame_key("c" * 64, "b" * 64, moment), frame_key("a" * 64, "c" * 64, moment)}
    assert len(others) == len(fields(Moment)) + 2
    assert key not in others


def test_the_track_is_known_by_all_that_it_can_say() -> None:
    windows = RNG.random((9, 4, 3), np.float32)
    outside = np.zeros((4, 3), np.float32)
    track = AudioTrack(windows, outside, 2)
    louder = windows.copy()
    louder[-1, -1, -1] += 1
    digests = {
        track_digest(AudioTrack(w, o, m))
        for w, o, m in (
            (windows, outside, 2),
            (windows, outside + 1, 2),
            (windows, None, 2),
            (windows, outside, 1),
            (louder, outside, 2),
            (windows.reshape(9, 3, 4), outside.reshape(3, 4), 2),
        )
    }
    assert len(digests) == 6
    assert track_digest(AudioTrack(windows.copy(), outside.copy(), 2)) == track_digest(track)


# Memory -------------------------------------------------------------------------------------------


def test_colours_of_the_avatar_are_shared() -> None:
    block = np.zeros(1000 * N, np.float32)  # as a worker's answer: views of one large array
    views = replace(splats(1), means=block[: 3 * N].reshape(N, 3), sh=SH.copy())
    shared = frame_of(views, SH)
    assert shared.splats().sh is SH
    assert shared.nbytes == FRAME_BYTES
    assert not np.shares_memory(shared.still.means, block)


def test_own_colours_are_packed_as_near_as_promised() -> None:
    block = np.zeros(1000 * N, np.float32)
    distances = RNG.normal(0, 0.05, SH.shape).astype(np.float32)
    distances[3], distances[4, 5, 1], distances[5] = 0, 80, 1e-30
    given = replace(splats(1, SH + distances), means=block[: 3 * N].reshape(N, 3))
    own = frame_of(given, SH)
    assert own.nbytes == (44 + 52) * N
    assert not np.shares_memory(own.still.means, block)
    back = own.splats()
    assert back.sh.dtype == np.float32
    assert np.array_equal(back.sh[3], SH[3])
    errors = np.abs(back.sh - given.sh).max(axis=(1, 2))
    largest = np.abs(given.sh - SH).max(axis=(1, 2))
    assert (errors <= largest / 254 * 1.001 + 1e-7).all()
    assert errors.max() > 0.1  # at the Gaussian that changes most, and at no other
    assert np.sort(errors)[-2] < 1e-3
    for name in MOVED:
        assert np.array_equal(getattr(back, name), getattr(given, name))


def test_colours_that_are_no_numbers_stay_so_where_they_are() -> None:
    broken = SH + np.float32(0.1)
    broken[1, 2, 0], broken[2, 0, 1] = np.nan, np.inf
    back = frame_of(splats(1, broken), SH).splats().sh
    assert np.isnan(back[1:3]).all()
    assert np.isfinite(np.delete(back, (1, 2), axis=0)).all()


def test_memory_keeps_its_budget_and_the_frames_used_last() -> None:
    cache = MemoryCache(BUDGET)
    for number in range(10):
        cache.put(KEYS[number], frame(number))
    assert cache.nbytes == BUDGET
    assert cache.get(KEYS[0]) is not None  # used again
    cache.put(KEYS[10], frame(10))
    assert KEYS[0] in cache
    assert KEYS[1] not in cache
    assert cache.get(KEYS[1]) is None
    assert cache.nbytes == BUDGET
    cache.put(KEYS[10], frame(11))  # again: counted once
    assert cache.nbytes == BUDGET
    cache.set_budget(3 * FRAME_BYTES)
    assert [key in cache for key in (KEYS[8], KEYS[9], KEYS[0], KEYS[10])] == [False, *[True] * 3]
    cache.set_budget(0)
    assert len(cache) == 1  # what was put last stays, so that it can be shown
    cache.clear()
    assert (len(cache), cache.nbytes) == (0, 0)


# Disk ---------------------------------------------------------------------------------------------


def test_disk_gives_back_the_same_bits_after_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "later"
    cache = DiskCache(folder, BUDGET * 10)
    assert not folder.exists()
    own = frame_of(splats(0.1, SH * 2), SH)
    cache.put(KEYS[0], frame(0.1))
    cache.put(KEYS[1], own)
    again = DiskCache(folder, BUDGET * 10)
    assert again.nbytes == cache.nbytes == sum(f.stat().st_size for f in folder.iterdir())
    for key, want in ((KEYS[0], frame(0.1)), (KEYS[1], own)):
        found = again.get(key, SH)
        assert found is not None
        assert same(found, want)
        assert found.nbytes == want.nbytes
    assert again.get(KEYS[2], SH) is None


def test_disk_keeps_its_budget_and_the_frames_used_last(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, BUDGET)
    for number in range(9):
        cache.put(KEYS[number], frame(number))
        os.utime(tmp_path / f"{KEYS[number]}.npy", (number, number))
    size = cache.nbytes // 9
    assert cache.get(KEYS[0], SH) is not None
    again = DiskCache(tmp_path, 3 * size)
    assert sorted(f.name for f in tmp_path.iterdir()) == [f"{KEYS[n]}.npy" for n in (0, 7, 8)]
    again.put(KEYS[11], frame(11))
    assert KEYS[7] not in again
    assert KEYS[11] in again
    assert again.nbytes == 3 * size
    again.set_budget(0)
    again.put(KEYS[12], frame(12))
    assert not list(tmp_path.iterdir())


def test_a_frame_dated_into_the_future_counts_as_the_oldest(tmp_path: Path) -> None:
    """The clock was wrong; otherwise such frames would push out all that are used."""
    disk = DiskCache(tmp_path, BUDGET)
    for number in range(3):
        disk.put(KEYS[number], frame(number))
        os.utime(tmp_path / f"{KEYS[number]}.npy", (1e9 + number,) * 2)
    os.utime(tmp_path / f"{KEYS[2]}.npy", (4e9,) * 2)
    assert list(DiskCache(tmp_path, BUDGET)._sizes) == [KEYS[2], KEYS[0], KEYS[1]]


def test_clearing_leaves_what_another_blender_writes_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, removed = tmp_path / "cache", DiskCache._delete

    def and_another_writes(self: DiskCache, key: str, size: int) -> None:
        removed(self, key, size)
        DiskCache(folder, BUDGET).put(KEYS[1], frame(1))

    monkeypatch.setattr(DiskCache, "_delete", and_another_writes)
    monkeypatch.setattr(Path, "iterdir", lambda self: iter(()))  # as if one looked just before
    disk = DiskCache(folder, BUDGET)
    disk.put(KEYS[0], frame(0))
    disk.clear()
    assert len(DiskCache(folder, BUDGET)) == 1 and not disk.reason


def test_only_own_files_are_counted_and_cleared(tmp_path: Path) -> None:
    (tmp_path / "mine.npy").write_bytes(b"x" * 10_000)
    (tmp_path / "0").mkdir()
    cache = DiskCache(tmp_path, BUDGET)
    cache.put(KEYS[0], frame(0))
    cache.clear()
    assert (cache.nbytes, len(cache)) == (0, 0)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["0", "mine.npy"]
    shutil.rmtree(tmp_path / "0")
    (tmp_path / "mine.npy").unlink()
    cache.clear()
    assert not tmp_path.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-3],
        lambda data: data + b"\0",
        lambda data: b"",
        lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:],
        lambda data: data.replace(b"<f4", b"|O4"),
        lambda data: data.replace(b"fortran_order': False", b"fortran_order': True "),
    ],
)
def test_a_damaged_file_is_deleted_and_not_shown(tmp_path: Path, damage: Any) -> None:
    cache = DiskCache(tmp_path, BUDGET)
    cache.put(KEYS[0], frame(3))
    path = tmp_path / f"{KEYS[0]}.npy"
    data = path.read_bytes()
    assert damage(data) != data
    path.write_bytes(damage(data))
    assert cache.get(KEYS[0], SH) is None
    assert not path.exists()
    cache.put(KEYS[0], frame(3))
    assert cache.get(KEYS[0], SH) is not None


def test_a_frame_of_another_avatar_is_not_taken(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, BUDGET)
    cache.put(KEYS[0], frame(3))
    assert cache.get(KEYS[0], SH[:-1]) is None


def test_a_file_deleted_by_others_is_a_miss(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, BUDGET)
    cache.put(KEYS[0], frame(3))
    (tmp_path / f"{KEYS[0]}.npy").unlink()
    assert cache.get(KEYS[0], SH) is None
    assert cache.nbytes == 0


def test_where_nothing_can_be_written_there_is_a_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = DiskCache(tmp_path / "file", BUDGET)
    cache.put(KEYS[0], frame(3))
    assert "no frames on disk" in cache.reason
    assert "\n" not in cache.reason
    assert KEYS[0] not in cache
    assert cache.get(KEYS[0], SH) is None
