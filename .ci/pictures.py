"""`make pictures`: pictures of Blender's own render for docs/images, without a window.

It needs the environments of Blender 4.5 and 5.3, which it creates. Names choose some of them:
`make pictures PICTURES="layer usdc"`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import environments
import graphics
from environments import BLENDER_45, BLENDER_53, ROOT, Environment
from process import SetupError, run_or_fail, say

IMAGES = ROOT / "docs" / "images"
MAX_BYTES = 300_000


@dataclass(frozen=True)
class Picture:
    """script: of .ci, takes the picture's name and its file."""

    environment: Environment
    script: str = "pictures_in_blender.py"


BUST = "bust_pictures_in_blender.py"
PICTURES = {
    "layer": Picture(BLENDER_45),
    "render": Picture(BLENDER_53),
    "relight": Picture(BLENDER_53),
    "usdc": Picture(BLENDER_53),
    "turn": Picture(BLENDER_53, BUST),
    "rig": Picture(BLENDER_53, BUST),
}


def make(name: str, folder: Path, work: Path) -> Path:
    """The picture's file in `folder`, replaced once it is complete. SetupError."""
    picture, out = PICTURES[name], work / f"{name}.jpg"
    python = environments.prepare(picture.environment)
    script = ROOT / ".ci" / picture.script
    environ = {**graphics.environ_for_blender(os.environ), "BLENDER_USER_RESOURCES": str(work)}
    advice = "correct what the log names and run again"
    log = work / f"{name}.log"
    run_or_fail([python, script, name, out], log, f"picture {name}", advice, environ)
    if out.stat().st_size > MAX_BYTES:
        raise SetupError(f"{out.name} has more than {MAX_BYTES // 1000} kB; make it smaller")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f".{out.name}").write_bytes(out.read_bytes())
    return (folder / f".{out.name}").replace(folder / out.name)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="pictures.py", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PICTURES)}")
    parser.add_argument("--out", type=Path, default=IMAGES)
    args = parser.parse_args(argv)
    unknown = sorted(set(args.names) - set(PICTURES))
    if unknown:
        parser.error(f"no such picture: {', '.join(unknown)}; there are {', '.join(PICTURES)}")
    try:
        with tempfile.TemporaryDirectory(prefix="egstalker-pictures-") as work:
            for name in args.names or PICTURES:
                path = make(name, args.out, Path(work))
                say(f"  {path} ({path.stat().st_size // 1000} kB)")
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
