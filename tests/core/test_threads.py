"""Threads that share a list of work."""

from __future__ import annotations

import threading

import pytest

from core.threads import for_each


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_every_item_once(threads: int) -> None:
    done: list[int] = []
    for_each(done.append, range(50), threads)
    assert sorted(done) == list(range(50))
    for_each(done.append, (), threads)
    assert len(done) == 50


def test_the_calling_thread_and_others_work() -> None:
    meeting = threading.Barrier(3, timeout=20)  # passes only when three threads are inside
    seen: set[int] = set()

    def meet(_: int) -> None:
        meeting.wait()
        seen.add(threading.get_ident())

    for_each(meet, range(3), 3)
    assert len(seen) == 3 and threading.get_ident() in seen


@pytest.mark.parametrize("threads", [1, 3])
def test_a_failure_ends_the_work_and_surfaces(threads: int) -> None:
    done: list[int] = []

    def work(item: int) -> None:
        if item == 2:
            raise ZeroDivisionError
        done.append(item)

    with pytest.raises(ZeroDivisionError):
        for_each(work, range(100_000), threads)
    assert len(done) < 100_000 - 1


def test_work_within_work_does_not_wait_for_ever() -> None:
    done: list[int] = []
    for_each(lambda _: for_each(done.append, range(10), 2), range(6), 2)
    assert len(done) == 60
