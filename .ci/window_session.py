"""`make window`: tests the events that a session must survive, in a real window (window/safety.py).

It needs a full Blender ($BLENDER, else `blender` on PATH) and a desktop, or xvfb-run. Options that
are not its own go to Blender: `window_session.py --gpu-backend vulkan`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from process import SetupError, say
from window import run

WORK = run.WORK / "safety"


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="window_session.py", description=__doc__)
    parser.add_argument("--zip", type=Path, help="default: built from this checkout")
    parser.add_argument(
        "--virtual", action="store_true", help="use xvfb-run even if DISPLAY is set"
    )
    args, options = parser.parse_known_args(argv)
    try:
        options = ["--offline-mode", *options]
        outcome = run.run(run.Request("safety", WORK, options, args.zip, args.virtual))
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    # The last step quits Blender in the middle of a bake.
    halves = [path.name for path in (WORK / "bake").glob("*") if path.suffix != ".png"]
    if halves:
        outcome.failures.append(f"incomplete files after the end: {', '.join(halves)}")
    for name, value in outcome.report.get("measures", {}).items():
        say(f"  {name}: {value:g}")
    for line in outcome.failures:
        print(f"error: {line}", file=sys.stderr)
    say("failed" if outcome.failures else "passed")
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
