"""Compare the network's outputs with those of a reference file (.npz).

The file holds the weights, inputs and outputs of the official network, of either kind. Exit code 0
where every output is within 1e-5 of the file's, 1 where one is not.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..network.official.compare import IMPLEMENTATIONS, TOLERANCE, largest_errors
from ..network.official.reference_file import read_reference


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE.npz")
    parser.add_argument("--implementation", choices=IMPLEMENTATIONS, default="numpy")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    file = read_reference(args.file)
    errors = largest_errors(file, args.implementation)
    within = all(error <= TOLERANCE for error in errors.values())
    if args.json:
        print(
            json.dumps(
                {
                    "file": str(args.file),
                    "kind": file.weights.kind,
                    "implementation": args.implementation,
                    "tolerance": TOLERANCE,
                    "max_abs_error": errors,
                }
            )
        )
    else:
        print(f"{args.file}: {file.weights.kind}, {args.implementation}")
        for name, error in errors.items():
            print(f"  {name:18s} {error:.2e}{'' if error <= TOLERANCE else '  TOO LARGE'}")
        print(f"{'all within' if within else 'NOT all within'} {TOLERANCE:g}")
    return 0 if within else 1
