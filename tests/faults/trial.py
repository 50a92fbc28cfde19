"""One activity, one fault, one seed: the work meets the fault, then is run again in peace, and must
give the same results and leave nothing else."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.activities import ACTIVITIES
from tests.faults.activity import Place, Results
from tests.faults.faults import FAULTS, Fault
from tests.faults.running import TICK, Running
from tests.faults.starting import Copy, Start, in_a_copy, interpreter
from tests.support.processes import processor_seconds

RUNS = 5  # in a row that meet a fault, before one in peace, where a fault ends them


@dataclass
class Reference:
    """seed: of the activity. inputs: kept for all trials. results: those without a fault. changed:
    those of changed inputs, where the activity takes them. longest: processor seconds of the
    process that faults meet. start: how its runs are started."""

    name: str
    seed: int
    inputs: Path
    results: Results
    changed: Results | None
    longest: float
    start: Start = interpreter


@dataclass
class Outcome:
    """met: how often the fault happened. ended: how the runs that met it ended, by exit code; a
    signal is a negative one. wrong: what should not be."""

    met: int = 0
    ended: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def reference(name: str, folder: Path, seed: int, start: Start = interpreter) -> Reference:
    """Make the inputs and run the activity once without a fault; once more with changed inputs
    where it takes them."""
    activity = ACTIVITIES[name]
    place = Place(folder / "reference")
    place.make()
    if start is Copy:
        in_a_copy(lambda: activity.make(place.inputs))
    else:
        activity.make(place.inputs)
    results, longest = _in_peace(name, place, seed, start)
    changed = None
    if activity.change is not None and activity.takes_changed:
        other = Place(folder / "changed")
        other.make()
        shutil.copytree(place.inputs, other.inputs, dirs_exist_ok=True)
        activity.change(other)
        changed, _ = _in_peace(name, other, seed, start)
        assert changed.keys() == results.keys() and changed != results
    return Reference(name, seed, place.inputs, results, changed, longest, start)


def _in_peace(name: str, place: Place, seed: int, start: Start) -> tuple[Results, float]:
    """Its results, and the processor seconds of the process that faults meet."""
    run, longest = Running(name, place, seed, start=start), 0.0
    while not run.over:
        target = run.target()
        if target is not None:
            longest = max(longest, processor_seconds(target))
        time.sleep(TICK)
    code, wrong = run.end()
    assert code == 0 and not wrong, (run.last_line(), wrong)
    results = ACTIVITIES[name].results(place)
    assert results and not list(leftovers(place))
    return results, longest


def try_fault(known: Reference, fault_name: str, folder: Path, seed: int, runs: int = 1) -> Outcome:
    """runs: how many in a row meet the fault, before the last one in peace."""
    named, rng, outcome = FAULTS[fault_name], random.Random(seed), Outcome()
    place = Place(folder / "trial")
    shutil.rmtree(place.folder, ignore_errors=True)
    place.make()
    _restore(known, place)
    for _ in range(runs):
        fault = FAULTS[rng.choice(named.one_of)] if named.one_of else named
        with fault.around(place, rng):
            _meet(known, fault, place, rng, outcome)
            check_files(known, place, outcome)
    _restore(known, place)
    run = Running(known.name, place, known.seed, start=known.start)
    code, wrong = run.end()
    outcome.wrong += wrong
    if code:
        outcome.wrong.append(f"it does not continue: {run.last_line()}")
    elif ACTIVITIES[known.name].results(place) != known.results:
        outcome.wrong.append("the results differ from those without the fault")
    outcome.wrong += [f"{path} is left" for path in leftovers(place)]
    return outcome


def leftovers(place: Place) -> Iterator[Path]:
    """Hidden files anywhere, and what is in the folder for temporary ones."""
    yield from place.temporary.iterdir()
    yield from place.folder.rglob(".*")


def _restore(known: Reference, place: Place) -> None:
    shutil.rmtree(place.inputs, ignore_errors=True)
    shutil.copytree(known.inputs, place.inputs)


def _meet(
    known: Reference, fault: Fault, place: Place, rng: random.Random, outcome: Outcome
) -> None:
    variables = {name: str(rng.random()) for name in fault.variables}
    run = Running(known.name, place, known.seed, variables, known.start)
    again = [Running(known.name, place, known.seed, variables, known.start)] if fault.twice else []
    outcome.met += fault.meet(run, known.longest, rng)
    for each in (run, *again):
        each.killed, each.fatal = each.killed or fault.fatal, fault.fatal
        code, wrong = each.end()
        outcome.ended.append(code)
        outcome.wrong += wrong


def check_files(known: Reference, place: Place, outcome: Outcome) -> None:
    """No file under a final name is half, or another than without the fault."""
    check_results(known, ACTIVITIES[known.name].results(place), outcome)


def check_results(known: Reference, results: Results, outcome: Outcome) -> None:
    """Of changed inputs, too, but not of both."""
    expected = known.results
    if known.changed is not None and results and results.items() <= known.changed.items():
        expected = known.changed
    strangers = [name for name, digest in results.items() if expected.get(name) != digest]
    if strangers:
        outcome.wrong.append(f"{strangers[:5]} differ from those without the fault")
    elif outcome.ended[-1] == 0 and results != expected:
        outcome.wrong.append("it reports success without all results")
