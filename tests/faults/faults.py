"""The faults. Each is given a run, a moment (processor seconds of the process that it meets) and
random numbers, does its harm, and returns how often it did."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.faults.activity import Place
from tests.faults.clock import YEAR
from tests.faults.running import Running

MEGABYTE = 2**20


@dataclass(frozen=True)
class Fault:
    """meet: does the harm while the work runs. around: a context in which it runs, for a place that
    is harmed before. variables: of the run, set to random numbers. twice: two runs at once. fatal:
    the run may end by a signal: the system or a library ends a process without memory. loading: the
    loading of modules may meet it, too, so that runs need an interpreter of their own. one_of: the
    names of others, of which each run meets one, in place of this one."""

    meet: Callable[[Running, float, random.Random], int]
    around: Callable[[Place, random.Random], contextlib.AbstractContextManager[None]] = (
        lambda _place, _rng: contextlib.nullcontext()
    )
    variables: tuple[str, ...] = ()
    twice: bool = False
    needs_root: bool = False
    fatal: bool = False
    loading: bool = False
    one_of: tuple[str, ...] = ()


def moment(longest: float, rng: random.Random) -> float:
    return rng.uniform(0, longest)


def kill_worker(run: Running, longest: float, rng: random.Random) -> int:
    """Again and again until the work ends."""
    count = 0
    while run.at(moment(longest, rng), run.kill):
        count += 1
        if run.killed:
            break
    return count


def cut_power(run: Running, longest: float, rng: random.Random) -> int:
    return int(run.at(moment(longest, rng), run.kill_all))


def change_inputs(run: Running, longest: float, rng: random.Random) -> int:
    change = run.activity.change
    if change is None:
        return 0
    return int(run.at(moment(longest, rng), lambda _process: change(run.place)))


def limit_memory(run: Running, longest: float, rng: random.Random) -> int:
    """From a random moment on the process may grow by no more than a few megabytes."""
    grows = rng.choice((0, 1, 4, 16, 64)) * MEGABYTE

    def limit(process: int) -> None:
        with contextlib.suppress(OSError):
            pages = int(Path(f"/proc/{process}/statm").read_text().split()[0])
            most = pages * resource.getpagesize() + grows
            resource.prlimit(process, resource.RLIMIT_AS, (most, most))

    return int(run.at(moment(longest, rng), limit))


def limit_files(run: Running, longest: float, rng: random.Random) -> int:
    """From a random moment on no process of the run may write more than so much into a file."""
    most = rng.choice((0, 100, 1000, 5000))

    def limit(_process: int) -> None:
        for process in run.processes():
            with contextlib.suppress(OSError):
                resource.prlimit(process, resource.RLIMIT_FSIZE, (most, most))

    return int(run.at(moment(longest, rng), limit))


def nothing(run: Running, longest: float, rng: random.Random) -> int:
    return 1


def jump_files(run: Running, longest: float, rng: random.Random) -> int:
    """Beside the clock, the times of all files jump, to the future or the past."""

    def jump(_process: int) -> None:
        for path in run.place.folder.rglob("*"):
            with contextlib.suppress(OSError):
                os.utime(path, (time.time() + rng.uniform(-10, 10) * YEAR,) * 2)

    run.at(moment(longest, rng), jump)
    return 1


@contextlib.contextmanager
def _mounted(folder: Path, *options: str) -> Iterator[None]:
    mount = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
    subprocess.run(mount, check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def full_disk(place: Place, rng: random.Random) -> Iterator[None]:
    """One of the folders is a disk of a few kilobytes."""
    folder = rng.choice((place.out, place.cache, place.temporary))
    with _mounted(folder, f"size={rng.choice((4, 8, 16, 32, 64, 128))}k"):
        yield


@contextlib.contextmanager
def read_only(place: Place, rng: random.Random) -> Iterator[None]:
    """One of the folders cannot be written, by root either."""
    with _mounted(rng.choice((place.out, place.cache, place.temporary)), "ro"):
        yield


SINGLE: dict[str, Fault] = {
    "worker killed": Fault(kill_worker),
    "power cut": Fault(cut_power),
    "disk full": Fault(nothing, full_disk, needs_root=True),
    "file size limited": Fault(limit_files),
    "folder read-only": Fault(nothing, read_only, needs_root=True),
    "inputs changed": Fault(change_inputs),
    "clock jumps": Fault(jump_files, variables=("FAULT_CLOCK",)),
    "memory limited": Fault(limit_memory, fatal=True, loading=True),
    "two at once": Fault(nothing, twice=True),
}
# Without changed inputs: work that is resumed with others may give others.
MIXED = tuple(name for name in SINGLE if name != "inputs changed")
FAULTS = {**SINGLE, "several in a row": Fault(nothing, needs_root=True, one_of=MIXED)}
