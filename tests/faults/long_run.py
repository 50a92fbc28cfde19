"""Many trials of one activity and one fault: `python -m tests.faults.long_run ACTIVITY FAULT COUNT
SEED FOLDER`. `make faults` starts one for each pair. COUNT: how often the fault has to happen; of
several in a row, how often there are such. Prints one JSON object: met, trials, ended (exit code ->
runs), wrong (texts with their seed)."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

from tests.faults.activities import ACTIVITIES
from tests.faults.faults import FAULTS
from tests.faults.starting import Copy, Start, interpreter
from tests.faults.trial import RUNS, reference, try_fault

MOST_WRONG = 5  # of one pair, after which it stops


def main(name: str, fault: str, count: str, seed: str, folder: str) -> int:
    work = Path(folder)
    shutil.rmtree(work, ignore_errors=True)
    start: Start = interpreter if FAULTS[fault].loading else Copy
    if start is Copy:
        for module in ACTIVITIES[name].modules:
            import_module(module)
    known = reference(name, work, int(seed), start)
    met, trials, ended, wrong = 0, 0, Counter[int](), list[str]()
    runs = RUNS if fault in ("worker killed", "power cut", "several in a row") else 1
    mixed = bool(FAULTS[fault].one_of)
    most = int(count) if mixed else 3 * int(count)
    while (mixed or met < int(count)) and trials < most and len(wrong) < MOST_WRONG:
        number = int(seed) + trials
        outcome = try_fault(known, fault, work, number, runs)
        trials, met = trials + 1, met + outcome.met
        ended.update(outcome.ended)
        wrong += [f"seed {number}: {text}" for text in outcome.wrong]
    if wrong:
        (work / "wrong.txt").write_text("\n".join(wrong))
    else:
        shutil.rmtree(work, ignore_errors=True)
    print(json.dumps({"met": met, "trials": trials, "ended": dict(ended), "wrong": wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    assert sys.argv[2] in FAULTS
    sys.exit(main(*sys.argv[1:]))
