"""Say what an .egs avatar or a .ply holds."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..avatar.summary import lines, summarise


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="an .egs avatar or a .ply")
    parser.add_argument("--json", action="store_true", help="print the same as JSON")


def run(args: argparse.Namespace) -> int:
    data = summarise(args.file)
    print(json.dumps(data, ensure_ascii=False) if args.json else "\n".join(lines(data)))
    return 0
