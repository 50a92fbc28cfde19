"""Make a dataset for a training from a video of a person who talks."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from ..errors import ArgumentError
from ..prepare.options import PrepareOptions

EVERY = 0.5  # seconds between two lines of progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("video", type=Path, help="a video with sound of one person who talks")
    parser.add_argument("out", type=Path, metavar="OUT_DIR", help="the dataset folder to make")
    parser.add_argument("--size", type=int, default=512, help="of the pictures, default: 512")
    parser.add_argument(
        "--start", type=float, default=0.0, metavar="S", help="seconds to leave out"
    )
    parser.add_argument("--seconds", type=float, metavar="S", help="to take, default: all")
    parser.add_argument(
        "--crop", metavar="X,Y,SIDE", help="square of the video to take, default: around the face"
    )
    parser.add_argument(
        "--focal", type=float, metavar="PIXELS", help="focal length of the pictures, if known"
    )
    parser.add_argument(
        "--landmark-model", type=Path, metavar="FILE", help="MediaPipe's face_landmarker.task"
    )
    parser.add_argument(
        "--parsing", type=Path, metavar="DIR", help="your own masks, named like the frames"
    )
    parser.add_argument(
        "--compare",
        type=Path,
        metavar="DIR",
        help="then measure against a dataset known to be true",
    )
    parser.add_argument("--json", action="store_true", help="progress as one JSON object a line")


def run(args: argparse.Namespace) -> int:
    from ..prepare.pipeline import prepare

    options = PrepareOptions(
        size=args.size,
        start=args.start,
        seconds=args.seconds,
        crop=None if args.crop is None else _crop(args.crop),
        focal=args.focal,
        landmark_model=args.landmark_model,
        parsing=args.parsing,
    )
    printer = Printer(args.json)
    printer.say({"event": "start", "video": str(args.video), "path": str(args.out)})
    facts = prepare(
        args.video, args.out, options, progress=printer.progress, note=printer.note
    )  # fmt: skip
    if args.compare is not None:
        from ..prepare.compare import compare

        printer.compared(compare(args.out, args.compare))
    printer.done(args.out, facts)
    return 0


def _crop(text: str) -> tuple[int, int, int]:
    try:
        x, y, side = (int(part) for part in text.split(","))
    except ValueError:
        raise ArgumentError(f"--crop {text!r} is not X,Y,SIDE, three whole numbers") from None
    return x, y, side


class Printer:
    """Lines for people, or one JSON object a line."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._step, self._last = "", 0.0

    def say(self, event: dict[str, Any]) -> None:
        if self._json:
            print(json.dumps(event, ensure_ascii=False), flush=True)

    def progress(self, step: str, done: int, total: int) -> None:
        now = time.monotonic()
        if step == self._step and now - self._last < EVERY and done != total:
            return
        self.say({"event": "progress", "step": step, "done": done, "total": total})
        if not self._json and sys.stdout.isatty():
            if step != self._step and self._step:
                sys.stdout.write("\n")
            sys.stdout.write(f"\r{step}: {done}" + (f" of {total}" if total else ""))
            sys.stdout.flush()
        elif not self._json and done == total:
            print(f"{step}: done")
        self._step, self._last = step, now

    def note(self, text: str) -> None:
        self.say({"event": "note", "text": text})
        if not self._json:
            print(f"{self._line_end()}note: {text}")
            self._step = ""

    def _line_end(self) -> str:
        return "\n" if self._step and sys.stdout.isatty() else ""

    def compared(self, figures: dict[str, float]) -> None:
        self.say({"event": "compared", **figures})
        if not self._json:
            print(end=self._line_end())
            for name, value in figures.items():
                print(f"{name}: {value:.4g}")

    def done(self, folder: Path, facts: dict[str, Any]) -> None:
        self.say({"event": "picture", "path": str(folder / "prepare_report.jpg")})
        self.say({"event": "done", "path": str(folder), **facts})
        if not self._json:
            print(end=self._line_end())
            print(
                f"{folder}: {facts['frames']} frames, focal length {facts['focal']:.0f} pixels, "
                f"{facts['blinks']} blinks; look at {folder / 'prepare_report.jpg'}"
            )
