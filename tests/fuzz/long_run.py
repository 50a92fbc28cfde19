"""Many damaged inputs for one reader, in a process of its own with limits of time and memory:
`python -m tests.fuzz.long_run READER COUNT SEED FOLDER`. `make fuzz` starts one for each reader.

Prints one JSON object: inputs, accepted, seconds (of the slowest input, CPU time), megabytes (by
which the process grew), fault. A fault's input is FOLDER/fault, as small as Hypothesis could make
it; if the process dies, its last input is FOLDER/last."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.case import Case, Maker
from tests.fuzz.damage import DRAWN, Drawn, damaged

MOST_SECONDS = 5.0  # of CPU time for one input
HANGING_SECONDS = 300.0  # for one input, on a busy machine too; the process then ends
MOST_TEXT = 4000  # characters of a fault's traceback
MOST_BYTES = 2**30  # that the process may grow by, for one input


class TooSlowError(BaseException):
    """Not an Exception, so that no reader takes it for a fault of the file."""


@dataclass
class Result:
    inputs: int = 0
    accepted: int = 0
    seconds: float = 0.0
    megabytes: float = 0.0
    fault: str = ""


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """In the block raise TooSlowError after MOST_SECONDS of CPU time, and MemoryError where the
    process would grow by more than MOST_BYTES."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MOST_BYTES
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    faulthandler.dump_traceback_later(HANGING_SECONDS, exit=True)
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, before)
        faulthandler.cancel_dump_traceback_later()


def run(case: Case, count: int, number: int, folder: Path) -> Result:
    """`count` inputs, drawn by the seed `number`."""
    result = Result()
    last, fault = folder / "last", folder / "fault"

    def too_slow(*_: object) -> None:
        raise TooSlowError(f"more than {MOST_SECONDS:g} s of CPU time")

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(DRAWN)
    def try_one(drawn: Drawn) -> None:
        data = damaged(case.seeds, drawn)
        last.write_bytes(data)
        start = time.process_time()
        try:
            with limited():
                result.accepted += case.take(data)
        except (Exception, TooSlowError) as error:
            fault.write_bytes(data)
            raise AssertionError("".join(traceback.format_exception(error))) from None
        finally:
            result.inputs += 1
            result.seconds = max(result.seconds, time.process_time() - start)

    signal.signal(signal.SIGPROF, too_slow)
    before = peak()
    try:
        try_one()
    except AssertionError as error:
        result.fault = str(error)[-MOST_TEXT:]
    result.megabytes = (peak() - before) / 2**20
    return result


def peak() -> int:
    """Bytes of memory that this process held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def makers(name: str) -> dict[str, Maker]:
    """The table that has this reader: videos need an environment of their own."""
    if name == "video":
        from tests.fuzz.videos import READERS as VIDEOS

        return VIDEOS
    from tests.fuzz.readers import READERS

    return READERS


def main(name: str, count: str, number: str, folder: str) -> int:
    warnings.simplefilter("error")
    where = Path(folder)
    place = where / "case"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    case = makers(name)[name](place)
    for good in case.seeds:  # so that loading libraries does not count
        case.take(good)
    result = run(case, int(count), int(number), where)
    print(json.dumps(asdict(result)))
    return 1 if result.fault else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
