"""`make fuzz`: damaged files for every reader of foreign bytes, each in a process of its own.

100,000 inputs are shared between the readers (tests/fuzz/readers.py). A reader must return or raise
one of the project's errors, within 5 s of processor time and 1 GB of memory. The table is Markdown,
as docs/development.md shows it. An input that breaks a reader is kept in the work folder: put it
into tests/fuzz/found/READER/, where `make test` reads it ever after.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import child
import environments
from environments import DEVELOP, MAIN, PREPARE
from process import SetupError, say

VIDEO = "video"
LIST = "import json; from tests.fuzz.readers import READERS; print(json.dumps(list(READERS)))"


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz.py", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="of all readers together")
    parser.add_argument("--readers", nargs="+", help="names as in the table; default: all")
    parser.add_argument("--seed", type=int, help="of the random numbers; default: a new one")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="readers tried at the same time"
    )
    parser.add_argument("--work", type=Path, default=MAIN.folder / "fuzz")
    return parser.parse_args(argv)


def run(name: str, inputs: int, seed: int, folder: Path) -> dict[str, Any]:
    """The result of one reader; a process that dies is a fault."""
    environment = PREPARE if name == VIDEO else MAIN
    words = (name, str(inputs), str(seed), str(folder))
    result, fault = child.answer(environment, "tests.fuzz.long_run", *words)
    return result or {"inputs": 0, "accepted": 0, "seconds": 0, "megabytes": 0, "fault": fault}


def row(name: str, result: dict[str, Any]) -> str:
    state = "FAULT" if result["fault"] else "none"
    return (
        f"| {name} | {result['inputs']:,} | {result['accepted']:,} | {result['seconds']:.2f} "
        f"| {result['megabytes']:.0f} | {state} |"
    )


def main(argv: Sequence[str]) -> int:
    args = parse(argv)
    try:
        environments.prepare(MAIN, DEVELOP)
        environments.prepare(PREPARE)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    names = [*child.listed(LIST), VIDEO]
    unknown = sorted(set(args.readers or ()) - set(names))
    if unknown:
        print(f"error: no readers {unknown}; choose from {names}", file=sys.stderr)
        return 2
    chosen = args.readers or names
    seed = secrets.randbelow(2**32) if args.seed is None else args.seed
    share = -(-args.inputs // len(chosen))
    say(f"{share} inputs for each of {len(chosen)} readers, seed {seed}\n")
    say("| reader | inputs | accepted | slowest, CPU s | grew by MB | faults |")
    say("|---|---|---|---|---|---|")
    total, faults = 0, []
    runs = child.side_by_side(
        lambda name, folder: run(name, share, seed, folder), chosen, args.work, args.jobs
    )
    for name, folder, result in runs:
        say(row(name, result))
        total += result["inputs"]
        if result["fault"]:
            faults.append(f"\n{name}, input in {folder}:\n{result['fault']}")
    say("\n".join([f"\n{total:,} inputs, {len(faults)} readers with faults", *faults]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
