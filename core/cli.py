"""The command line: `python -m core COMMAND ...`. Each command is one module of `commands/`.

Exit codes: 0 done, 1 failed, 2 bad input (one line says which), 130 stopped by the user.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

from .commands.console import STOPPED, Console
from .system import memory

COMMANDS = (
    "convert", "export", "export-splats", "info", "verify", "render", "prepare", "train",
    "approximate", "bench", "evaluate", "ablate",
)  # fmt: skip


class OneLineParser(argparse.ArgumentParser):
    """Reports a wrong command line in one line, without the usage text."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def build_parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="python -m core", description="EGSTalker without Blender.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = importlib.import_module(f".commands.{name.replace('-', '_')}", __package__)
        summary = (module.__doc__ or "").strip().splitlines()[0]
        subparser = subparsers.add_parser(name, help=summary, description=module.__doc__)
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else argv
    # `ablate` takes --json also among the options of `train`, which are not parsed here.
    console = Console("--json" in words)
    try:
        args = build_parser().parse_args(words)
        console = Console(args.json or "--json" in words)
        return int(args.run(args, console))
    except BrokenPipeError:  # nobody reads the output any more
        return 1
    except KeyboardInterrupt:
        console.stopped()
        return STOPPED
    except Exception as error:
        failure = memory.known(error)
        if failure is None:
            raise
        console.failed(str(failure), failure.exit_code)
        return failure.exit_code
