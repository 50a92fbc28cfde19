"""Compare the network's outputs with those of a reference file (.npz).

The file contains the weights, inputs and outputs of the official network, of either kind. Exit code
0 if every output differs by at most 1e-5, otherwise 1.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from ..network.official.compare import IMPLEMENTATIONS, TOLERANCE, largest_errors
from ..network.official.reference_file import read_reference
from .arguments import add_json
from .console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", type=Path, metavar="FILE.npz", help="reference file")
    add(
        "--implementation",
        choices=IMPLEMENTATIONS,
        default="numpy",
        help="implementation to compare (default: numpy)",
    )
    add_json(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    file = read_reference(args.file)
    kind = file.weights.kind
    errors = largest_errors(file, args.implementation)
    text = f"{args.file}: {kind}, {args.implementation}\n{_table(errors)}"
    values = {
        "file": args.file,
        "kind": kind,
        "implementation": args.implementation,
        "tolerance": TOLERANCE,
        "max_abs_error": errors,
    }
    wrong = [name for name, error in errors.items() if not error <= TOLERANCE]
    if wrong:
        message = f"{', '.join(wrong)}: more than {TOLERANCE:g} away from the outputs in the file"
        console.failed(message, 1, f"{text}\nNOT all within {TOLERANCE:g}", **values)
        return 1
    console.done(f"{text}\nall within {TOLERANCE:g}", **values)
    return 0


def _table(errors: Mapping[str, float]) -> str:
    return "\n".join(
        f"  {name:18s} {error:.2e}{'' if error <= TOLERANCE else '  TOO LARGE'}"
        for name, error in errors.items()
    )
