"""Measure an avatar on a dataset's held-out frames and with other voices."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..avatar.file import load_avatar
from ..bake.backends import BACKENDS, choose_backend
from ..bake.loop import make_folder
from ..dataset.load import load_clip
from ..evaluation.evaluate import Options, evaluate, write_report
from ..evaluation.record import document_of
from ..evaluation.report.tables import text_of
from .arguments import add_avatar, add_backend, add_dataset, add_json, add_measuring
from .console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_avatar(parser)
    add_dataset(parser)
    add(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for report.html, report.txt and report.json",
    )
    add(
        "--rows",
        action="append",
        metavar="ROWS",
        help="frames to measure: val, more, train, or numbers such as 714-785; may be repeated "
        "(default: val)",
    )
    add(
        "--audio",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="recordings of other voices, or their features (.npy)",
    )
    add(
        "--phonemes",
        type=Path,
        metavar="JSON",
        help="phonemes of the first recording and their times",
    )
    add_measuring(parser)
    add_backend(parser, ("auto", *BACKENDS))
    add_json(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    console.start("evaluate", dataset=args.dataset, path=args.out)
    avatar = load_avatar(args.avatar)
    clip = load_clip(args.dataset)
    make_folder(args.out)
    options = Options(
        rows=tuple(args.rows or ("val",)),
        audio=tuple(args.audio),
        context=args.context,
        lpips=args.lpips,
        phonemes=args.phonemes,
    )

    def progress(step: str, done: int, total: int) -> None:
        console.progress(step, done, total, step=step)

    report = evaluate(avatar, clip, choose_backend(args.backend), options, progress)
    page = write_report(report, args.out)[-1]
    console.done(f"{text_of(report)}\n{page}", path=page, report=document_of(report))
    return 0
