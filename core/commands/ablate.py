"""Train and measure the whole method and each of its four parts left out: the paper's table.

Options of this command stand before DATASET, those of `train` after OUT_DIR.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..bake.backends import BACKENDS, choose_backend
from ..errors import ArgumentError
from ..evaluation.ablation import VARIANTS, Ablation, ablate, table_of
from ..evaluation.evaluate import Options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--only", metavar="A,B", help=f"some of {', '.join(VARIANTS)}; default: all")
    add("--rows", default="val", metavar="ROWS", help="to measure on, as evaluate takes them")
    add("--context", action="store_true", help="hear the sound around these rows too")
    add("--lpips", type=Path, metavar="NPZ", help="weights of LPIPS (AlexNet)")
    add("--backend", choices=("auto", *BACKENDS), default="auto", help="that draws to measure")
    add("--json", action="store_true", help="progress and result as JSON lines")
    add("dataset", type=Path, metavar="DATASET", help="dataset folder")
    add("out", type=Path, metavar="OUT_DIR", help="for avatars, reports and the table")
    add(
        "train", nargs=argparse.REMAINDER, metavar="...", help="options of train, for every variant"
    )


def run(args: argparse.Namespace) -> int:
    as_json = args.json or "--json" in args.train
    ablation = Ablation(
        dataset=args.dataset,
        folder=args.out,
        backend=choose_backend(args.backend),
        train=tuple(option for option in args.train if option != "--json"),
        only=_variants(args.only),
        options=Options(rows=(args.rows,), context=args.context, lpips=args.lpips),
    )
    results = ablate(ablation, _json_line if as_json else _one_line)
    if as_json:
        print(json.dumps({"event": "done", "path": str(args.out), "variants": results}))
        return 0
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print(table_of(results), end="")
    return 0


def _variants(text: str | None) -> tuple[str, ...]:
    chosen = tuple(VARIANTS) if text is None else tuple(text.split(","))
    for name in chosen:
        if name not in VARIANTS:
            raise ArgumentError(f"variant {name!r} is none of {', '.join(VARIANTS)}")
    return chosen


def _json_line(event: Mapping[str, Any]) -> None:
    print(json.dumps(event, ensure_ascii=False), flush=True)


def _one_line(event: Mapping[str, Any]) -> None:
    """Progress on a terminal, the ends of things elsewhere."""
    kind, name = event.get("event"), event["variant"]
    if kind == "progress" and sys.stderr.isatty():
        text = f"{name}: {event.get('stage')} {event.get('step')}/{event.get('steps')}"
        print(f"\r{text:<60}", end="", file=sys.stderr, flush=True)
    elif kind == "evaluating" and sys.stderr.isatty():
        text = f"{name}: measuring {event['step']} {event['done']}/{event['total']}"
        print(f"\r{text:<60}", end="", file=sys.stderr, flush=True)
    elif kind == "done":
        print(f"{name}: trained, {event.get('path')}", file=sys.stderr, flush=True)
