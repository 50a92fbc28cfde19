"""`make screenshots`: pictures of the running extension for docs/images, from a real window.

It needs a full Blender ($BLENDER, else `blender` on PATH) and a desktop, or xvfb-run.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from process import SetupError, say
from window import run

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
MAX_BYTES = 300_000


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix in (".png", ".jpg"))


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="screenshots.py", description=__doc__)
    parser.add_argument("--out", type=Path, default=IMAGES)
    parser.add_argument("--zip", type=Path, help="default: built from this checkout")
    parser.add_argument(
        "--virtual", action="store_true", help="use xvfb-run even if DISPLAY is set"
    )
    args = parser.parse_args(argv)
    work = run.WORK / "tour"
    for old in _pictures(work):
        old.unlink()
    try:
        outcome = run.run(run.Request("tour", work, (), args.zip, args.virtual))
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    pictures = _pictures(work)
    for path in pictures:
        if path.stat().st_size > MAX_BYTES:
            outcome.failures.append(f"{path.name} has more than {MAX_BYTES // 1000} kB")
    if outcome.failures:
        for line in outcome.failures:
            print(f"error: {line}", file=sys.stderr)
        return 1
    args.out.mkdir(parents=True, exist_ok=True)
    for path in pictures:
        shutil.copyfile(path, args.out / path.name)
        say(f"  {args.out / path.name} ({path.stat().st_size // 1000} kB)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
