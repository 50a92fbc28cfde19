"""Measure an avatar on a dataset's held-out frames and with other voices."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ..avatar.file import load_avatar
from ..bake.backends import BACKENDS, choose_backend
from ..bake.loop import make_folder
from ..dataset.load import load_clip
from ..evaluation.evaluate import Options, evaluate, write_report
from ..evaluation.record import document_of
from ..evaluation.report.tables import text_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("avatar", type=Path, metavar="AVATAR", help=".egs file")
    add("dataset", type=Path, metavar="DATASET", help="dataset folder")
    add("--out", type=Path, required=True, metavar="DIR", help="for report.html, .txt and .json")
    add(
        "--rows",
        action="append",
        metavar="ROWS",
        help="val (default), more, train, or frames as in 714-785; may be given several times",
    )
    add(
        "--audio",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="sounds of other voices (or their features as .npy)",
    )
    add("--phonemes", type=Path, metavar="JSON", help="what the first of them says when")
    add(
        "--context",
        action="store_true",
        help="hear the sound around the frames too; the authors' loader hears nothing there",
    )
    add("--lpips", type=Path, metavar="NPZ", help="weights of LPIPS (AlexNet)")
    add("--backend", choices=("auto", *BACKENDS), default="auto")
    add("--json", action="store_true", help="progress and result as JSON lines")


def run(args: argparse.Namespace) -> int:
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
    tell = _json_line if args.json else _one_line
    report = evaluate(avatar, clip, choose_backend(args.backend), options, tell)
    paths = write_report(report, args.out)
    if args.json:
        values = {"report": document_of(report), "path": str(paths[-1])}
        print(json.dumps({"event": "done", **values}, ensure_ascii=False), flush=True)
        return 0
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print(text_of(report))
    print(f"{paths[-1]}")
    return 0


def _json_line(what: str, done: int, total: int) -> None:
    line = {"event": "progress", "step": what, "done": done, "total": total}
    print(json.dumps(line), flush=True)


def _one_line(what: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{what}: {done}/{total} frames", end="", file=sys.stderr, flush=True)
