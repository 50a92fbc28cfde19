"""`make faults`: every fault on every kind of work, each pair in a process of its own.

The lists are in tests/faults/ (activities.py, faults.py). After each fault the work is run again in
peace: it must give the same results as without a fault, and leave no process, no shared memory and
no temporary file. The table is Markdown, as docs/development.md shows it. 1,000 kills are shared
between the activities; every other pair meets its fault `--times` times. The folder of a pair that
failed is kept in the work folder.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import child
import environments
import graphics
from environments import BLENDER_53, DEVELOP, MAIN, ROOT
from process import SetupError, say

# Of 1,000 kills; a training is dear.
KILLS = {"bake": 650, "scrub": 200, "render": 80, "set up": 55, "train": 15}
KILL, CHANGE = "worker killed", "inputs changed"
ENDURANCE = (
    (MAIN, "tests/faults/test_endurance.py"),
    (BLENDER_53, "tests/blender/test_scrubbing.py"),
)
LISTS = (
    "import json; from tests.faults.activities import ACTIVITIES; from tests.faults.faults import "
    "FAULTS; print(json.dumps([{n: bool(a.change) for n, a in ACTIVITIES.items()}, "
    "{n: f.needs_root for n, f in FAULTS.items()}]))"
)


@dataclass(frozen=True)
class Pair:
    activity: str
    fault: str
    count: int


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="faults.py", description=__doc__)
    parser.add_argument("--kills", type=int, default=1000, help="of all activities together")
    parser.add_argument("--times", type=int, default=10, help="of every other pair")
    parser.add_argument("--activities", nargs="+", help="names as in the table; default: all")
    parser.add_argument("--faults", nargs="+", help="names as in the table; default: all")
    parser.add_argument("--seed", type=int, help="of the random moments; default: a new one")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--work", type=Path, default=MAIN.folder / "faults")
    return parser.parse_args(argv)


def run(pair: Pair, seed: int, folder: Path) -> dict[str, Any]:
    """The result of one pair; a harness that dies is a failure."""
    words = (pair.activity, pair.fault, str(pair.count), str(seed), str(folder))
    result, wrong = child.answer(MAIN, "tests.faults.long_run", *words)
    return result or {"met": 0, "trials": 0, "ended": {}, "wrong": [wrong]}


def row(pair: Pair, result: dict[str, Any]) -> str:
    ended = ", ".join(f"{n} × {code}" for code, n in sorted(result["ended"].items()))
    wrong = f"**{len(result['wrong'])}**" if result["wrong"] else "none"
    return f"| {pair.activity} | {pair.fault} | {result['met']:,} | {ended} | {wrong} |"


def main(argv: Sequence[str]) -> int:
    args = parse(argv)
    try:
        environments.prepare(MAIN, DEVELOP)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    activities, faults = child.listed(LISTS)
    unknown = {*(args.activities or ())} - {*activities} | {*(args.faults or ())} - {*faults}
    if unknown:
        print(f"error: {sorted(unknown)}: choose from {list(activities)} and {list(faults)}")
        return 2
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    for fault in [name for name, needs_root in faults.items() if needs_root and not root]:
        say(f"left out, because it mounts a file system and so needs root: {fault}")
        del faults[fault]
    pairs = [
        Pair(name, fault, max(1, KILLS[name] * args.kills // 1000) if fault == KILL else args.times)
        for fault in faults
        for name in activities
        if name in (args.activities or activities)
        and fault in (args.faults or faults)
        and (fault != CHANGE or activities[name])
    ]
    seed = secrets.randbelow(2**31) if args.seed is None else args.seed
    say(f"{len(pairs)} pairs, seed {seed}\n")
    say("| work | fault | times | runs that met it × how they ended (exit code) | wrong |")
    say("|---|---|---|---|---|")
    met, failures = 0, []
    runs = child.side_by_side(
        lambda pair, folder: run(pair, seed, folder), pairs, args.work, args.processes
    )
    for pair, folder, result in runs:
        say(row(pair, result))
        met += result["met"]
        texts = "\n".join(result["wrong"])
        failures += [f"\n{pair.activity}, {pair.fault}, {folder}:\n{texts}"] if texts else []
    say("\n".join([f"\n{met:,} faults, {len(failures)} pairs with something wrong", *failures]))
    lasting = args.activities or args.faults or endure()
    return 0 if lasting and not failures else 1


def endure() -> bool:
    """An afternoon of work, in which nothing may grow. Its tables are Markdown, too."""
    passed = True
    say("\n| work | done | MB | handles | threads | children | files |")
    say("|---|---|---|---|---|---|---|")
    for environment, test in ENDURANCE:
        if not environment.executable.exists():
            say(f"left out, because {environment.folder} is not there: {test}")
            continue
        done = subprocess.run(
            [str(environment.executable), "-m", "pytest", "-q", "-s", test],
            cwd=ROOT,
            env={
                **graphics.environ_for_blender(os.environ),
                **os.environ,
                "EGSTALKER_AFTERNOON": "1",
            },
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        passed &= done.returncode == 0
        rows = [line.lstrip(".") for line in done.stdout.splitlines() if line.count("|") > 7]
        say("\n".join(rows) if done.returncode == 0 else done.stdout)
    return passed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
