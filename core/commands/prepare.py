"""Make a dataset for a training from a video of a person who talks."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import ArgumentError
from ..prepare.findings.record import GOOD, Finding, read_findings
from ..prepare.options import PrepareOptions
from ..prepare.report.names import PAGE, PICTURE
from .arguments import add_json
from .console import Console

EVERY = 0.5  # seconds between two events of progress
SHOWN = 6  # findings, the worst; the page has them all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("video", type=Path, help="video with sound of one person who talks")
    add("out", type=Path, metavar="OUT_DIR", help="dataset folder to make")
    add(
        "--size",
        type=int,
        default=512,
        metavar="PIXELS",
        help="width and height of the pictures (default: 512)",
    )
    add(
        "--start",
        type=float,
        default=0.0,
        metavar="S",
        help="seconds to skip at the beginning (default: 0)",
    )
    add("--seconds", type=float, metavar="S", help="seconds to use (default: all)")
    add(
        "--crop",
        metavar="X,Y,SIDE",
        help="square of the video to use, in pixels (default: around the face)",
    )
    add(
        "--focal",
        type=float,
        metavar="PIXELS",
        help="focal length of the pictures (default: estimated)",
    )
    add(
        "--landmark-model",
        type=Path,
        metavar="FILE",
        help="MediaPipe's face_landmarker.task (default: the model in the package)",
    )
    add(
        "--segmenter",
        type=Path,
        metavar="FILE",
        help="segmentation network: MediaPipe's selfie_multiclass_256x256.tflite, or another "
        ".tflite or .onnx whose classes FILE.json names (default: the network in the package)",
    )
    add(
        "--parsing",
        type=Path,
        metavar="DIR",
        help="folder of masks from another tool, named like the frames",
    )
    add(
        "--audio-track",
        type=int,
        metavar="N",
        help="sound track with the voice, from 1 (default: the one that sounds most like speech)",
    )
    add(
        "--sound-offset",
        default="auto",
        metavar="auto|MS",
        help="milliseconds by which the sound comes after the lips, to move it forward; auto "
        "measures it and moves the sound if it is sure and more than 80 (default: auto)",
    )
    add(
        "--processes",
        type=int,
        metavar="N",
        help="processes that work at the same time (default: one a core, 12 at most)",
    )
    add(
        "--compare",
        type=Path,
        metavar="DIR",
        help="afterwards, measure the difference from a dataset that is known to be right",
    )
    add_json(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    options = PrepareOptions(
        size=args.size,
        start=args.start,
        seconds=args.seconds,
        crop=None if args.crop is None else _crop(args.crop),
        focal=args.focal,
        landmark_model=args.landmark_model,
        parsing=args.parsing,
        segmenter=args.segmenter,
        processes=args.processes,
        audio_track=args.audio_track,
        sound_offset=_offset(args.sound_offset),
    )
    facts = prepared(args.video, args.out, options, console)
    figures: dict[str, float] = {}
    if args.compare is not None:
        from ..prepare.compare import compare

        figures = compare(args.out, args.compare)
    text = "".join(f"{name}: {value:.4g}\n" for name, value in figures.items())
    text += (
        f"{args.out}: {facts['frames']} frames, focal length {facts['focal']:.0f} pixels, "
        f"{facts['blinks']} blinks"
    )
    compared = {"compared": figures} if figures else {}
    console.done(text, path=args.out, **compared, **facts)
    return 0


def _offset(text: str) -> float | None:
    if text == "auto":
        return None
    try:
        return float(text)
    except ValueError:
        raise ArgumentError(
            f"--sound-offset {text!r} is neither auto nor a number of milliseconds"
        ) from None


def _crop(text: str) -> tuple[int, int, int]:
    try:
        x, y, side = (int(part) for part in text.split(","))
    except ValueError:
        raise ArgumentError(f"--crop {text!r} is not X,Y,SIDE, three whole numbers") from None
    return x, y, side


def prepared(
    video: Path, folder: Path, options: PrepareOptions, console: Console
) -> dict[str, Any]:
    """Prepare the video and report progress on the console. Returns the results of `prepare`."""
    from ..prepare.pipeline import prepare

    def progress(step: str, done: int, total: int) -> None:
        console.progress(step, done, total, every=EVERY, step=step)

    console.start("prepare", video=video, path=folder)
    facts = prepare(video, folder, options, progress=progress, note=console.note)
    picture, page = folder / PICTURE, folder / PAGE
    console.saved("picture", picture, f"look at {picture}")
    report(read_findings(facts.get("findings", ())), console)
    console.saved("page", page, f"all findings with advice: {page}")
    return facts


def report(findings: Sequence[Finding], console: Console) -> None:
    """The worst findings, each as a note."""
    poor = [finding for finding in findings if finding.grade != GOOD]
    for finding in poor[:SHOWN]:
        console.note(finding.line, finding=finding.document)
    if not poor and findings:
        console.note("nothing was found that harms a training")
