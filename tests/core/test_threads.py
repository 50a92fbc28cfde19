"""Threads that share a list of work."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from core.system.threads import for_each, in_order
from tests.support.waiting import LIMIT


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_every_item_once(threads: int) -> None:
    done: list[int] = []
    for_each(done.append, range(50), threads)
    assert sorted(done) == list(range(50))
    for_each(done.append, (), threads)
    assert len(done) == 50


def test_the_calling_thread_and_others_work() -> None:
    meeting = threading.Barrier(3, timeout=LIMIT)  # passes only when three threads are inside
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
        for_each(work, range(1_000_000), threads)
    assert len(done) < 1_000_000 - 1


def test_work_within_work_does_not_wait_for_ever() -> None:
    done: list[int] = []
    for_each(lambda _: for_each(done.append, range(10), 2), range(6), 2)
    assert len(done) == 60


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_side_by_side_keeps_the_order(threads: int) -> None:
    done = [threading.Event() for _ in range(20)]

    def late(item: int) -> int:
        """Every other item ends after the next one, where they run at once."""
        assert threads == 1 or item % 2 or done[item + 1].wait(LIMIT)
        done[item].set()
        return item

    assert list(in_order(late, range(20), threads)) == list(range(20))
    assert list(in_order(late, (), threads)) == []


def test_side_by_side_is_at_once_and_not_too_far_ahead() -> None:
    meeting = threading.Barrier(2, timeout=LIMIT)
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(50):
            taken.append(item)
            yield item

    def meet(item: int) -> int:
        if item < 2:
            meeting.wait()
        return item

    results = in_order(meet, items(), 2)
    assert next(results) == 0
    results.close()
    assert len(taken) <= 4


def test_work_within_a_frame_stays_on_its_thread() -> None:
    """Else every frame would ask for every core."""
    seen: list[set[int]] = []

    def frame(_: int) -> None:
        mine: set[int] = set()
        for_each(lambda _: mine.add(threading.get_ident()), range(40), 4)
        seen.append(mine)

    list(in_order(frame, range(6), 3))
    assert len(seen) == 6 and all(len(mine) == 1 for mine in seen)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_failure_side_by_side_comes_at_its_place(threads: int) -> None:
    done: list[int] = []

    def work(item: int) -> int:
        if item == 4:
            raise ZeroDivisionError
        done.append(item)
        return item

    got: list[int] = []
    with pytest.raises(ZeroDivisionError):
        for result in in_order(work, range(10_000), threads):
            got.append(result)
    assert got == [0, 1, 2, 3] and len(done) < 20
