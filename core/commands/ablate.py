"""Train and measure the full method and variants without one of its four parts: the paper's table.

Options of this command stand before DATASET, those of `train` after OUT_DIR."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..bake.backends import BACKENDS, choose_backend
from ..errors import ArgumentError
from ..evaluation.ablation import VARIANTS, Ablation, ablate, table_of
from ..evaluation.evaluate import Options
from .arguments import add_backend, add_dataset, add_json, add_measuring
from .console import Console

POSITIONAL = ("event", "what", "done", "total", "text", "path")  # keys that the console writes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--only",
        metavar="A,B",
        help=f"variants to train: some of {', '.join(VARIANTS)} (default: all)",
    )
    add(
        "--rows",
        default="val",
        metavar="ROWS",
        help="frames to measure, as for `evaluate` (default: val)",
    )
    add_measuring(parser)
    add_backend(parser, ("auto", *BACKENDS))
    add_json(parser)
    add_dataset(parser)
    add("out", type=Path, metavar="OUT_DIR", help="folder for avatars, reports and the table")
    add("train", nargs=argparse.REMAINDER, metavar="...", help="options of `train`")


def run(args: argparse.Namespace, console: Console) -> int:
    ablation = Ablation(
        dataset=args.dataset,
        folder=args.out,
        backend=choose_backend(args.backend),
        train=tuple(option for option in args.train if option != "--json"),
        only=_variants(args.only),
        options=Options(rows=(args.rows,), context=args.context, lpips=args.lpips),
    )
    console.start("ablate", dataset=args.dataset, path=args.out)
    results = ablate(ablation, partial(_report, console))
    console.done(table_of(results).rstrip("\n"), path=args.out, variants=results)
    return 0


def _variants(text: str | None) -> tuple[str, ...]:
    chosen = tuple(VARIANTS) if text is None else tuple(text.split(","))
    for name in chosen:
        if name not in VARIANTS:
            raise ArgumentError(f"variant {name!r} is unknown; choose from {', '.join(VARIANTS)}")
    return chosen


def _report(console: Console, event: Mapping[str, Any]) -> None:
    """Pass on an event of one variant: of its training, in JSON lines, or of its evaluation."""
    kind, variant = event.get("event"), event["variant"]
    fields = {key: value for key, value in event.items() if key not in POSITIONAL}
    if kind == "evaluating":
        what = f"{variant}: {event['step']}"
        console.progress(what, event["done"], event["total"], stage="evaluate", **fields)
    elif kind == "progress":
        what = f"{variant}: {event['what']}"
        console.progress(what, event["done"], event["total"], **fields)
    elif kind == "start":
        console.start(event["what"], f"{variant}: training", **fields)
    elif kind == "note":
        console.note(event["text"], **fields)
    elif kind == "saved":
        console.saved(event["what"], event["path"], **fields)
    elif kind == "done":
        console.saved("avatar", event["path"], f"{variant}: trained, {event['path']}", **fields)
