"""Describe an .egs avatar or a .ply file."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..avatar.summary import lines, summarise
from .arguments import add_json
from .console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="avatar (.egs) or .ply file")
    add_json(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    data = summarise(args.file)
    console.done("\n".join(lines(data)), **data)
    return 0
