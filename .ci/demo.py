"""`make demo`: installs the zip in Blender, bakes a talking head and encodes a film.

It creates the environments (no torch), builds the zip, and runs demo_in_blender.py in a Blender
module with a profile of its own, so that no setting of the user's Blender is read or written.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import build_zip
import demo_in_blender
import environments
from environments import BLENDER_45, BLENDER_52, MAIN, ROOT
from process import SetupError, say, tail

POLL_SECONDS = 1.0
FRAMES_EVERY_SECONDS = 5.0


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo.py", description=__doc__)
    parser.add_argument("--engine", choices=("auto", "builtin", "worker"), default="auto")
    parser.add_argument("--blender", choices=("4.5", "5.2"), help="default: an installed one")
    parser.add_argument("--avatar", type=Path, help="an .egs file; default: the bundled one")
    parser.add_argument("--speech", type=Path, help="a sound file; default: the bundled one")
    parser.add_argument("--out", type=Path, default=ROOT / "demo_out")
    return parser.parse_args(argv)


def prepare_blender(version: str | None) -> Path:
    if version is None:
        return environments.prepare_preferred_blender()
    return environments.prepare(BLENDER_45 if version == "4.5" else BLENDER_52)


def run_in_blender(python: Path, arguments: Sequence[str], frames: Path, log: Path) -> int:
    """Run the Blender half; show its marked lines and the number of frames so far."""
    script = ROOT / ".ci" / "demo_in_blender.py"
    with tempfile.TemporaryDirectory(prefix="egstalker-demo-") as profile:
        environ = {
            **os.environ,
            "BLENDER_USER_RESOURCES": profile,
            "EGSTALKER_WORKER_PYTHON": str(MAIN.executable),
        }
        with log.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(
                [str(python), str(script), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environ,
            )
        try:
            return follow(process, frames, log)
        finally:
            process.kill()
            process.wait()


def follow(process: subprocess.Popen[bytes], frames: Path, log: Path) -> int:
    shown = 0
    count = 0
    spoken = time.monotonic()
    while True:
        status = process.poll()
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        marked = [line for line in lines if line.startswith(demo_in_blender.MARK)]
        for line in marked[shown:]:
            say(line.removeprefix(demo_in_blender.MARK))
        shown = len(marked)
        if status is not None:
            return status
        now = len(list(frames.glob("*.png")))
        baking = bool(marked) and marked[-1].startswith(f"{demo_in_blender.MARK}bake")
        if baking and now != count and time.monotonic() - spoken > FRAMES_EVERY_SECONDS:
            say(f"    {now} frames written")
            count, spoken = now, time.monotonic()
        time.sleep(POLL_SECONDS)


def main(argv: Sequence[str]) -> int:
    args = parse(argv)
    start = time.monotonic()
    out = args.out.resolve()
    frames = out / "frames"
    log = out / "demo.log"
    try:
        say("environments")
        worker = environments.prepare(MAIN, environments.WORKER)
        blender = prepare_blender(args.blender)
        say("zip")
        archive = build_zip.build(blender)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except build_zip.BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    shutil.rmtree(frames, ignore_errors=True)
    frames.mkdir(parents=True)
    film = out / "demo.mp4"
    film.unlink(missing_ok=True)
    arguments = [f"--zip={archive}", f"--out={out}", f"--engine={args.engine}"]
    for name in ("avatar", "speech"):
        if getattr(args, name) is not None:
            arguments.append(f"--{name}={getattr(args, name).resolve()}")
    status = run_in_blender(blender, arguments, frames, log)
    if status != 0 or not film.is_file():
        for line in tail(log):
            say(f"    | {line}")
        print(f"error: the Blender half ended with status {status}, log {log}", file=sys.stderr)
        return 1
    sheet = out / "contact_sheet.png"
    script = ROOT / ".ci" / "contact_sheet.py"
    subprocess.run([str(worker), str(script), str(frames), str(sheet)], check=True)
    say(f"done in {time.monotonic() - start:.0f} s")
    say(f"  frames  {frames} ({len(list(frames.glob('*.png')))} PNG files)")
    say(f"  film    {film} ({film.stat().st_size / 1e6:.1f} MB, with sound)")
    say(f"  sheet   {sheet}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
