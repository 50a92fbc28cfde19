"""Write an avatar as a checkpoint of the official code, or its Gaussians as a .ply."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..avatar.file import load_avatar
from ..errors import ArgumentError
from ..formats.ply_writer import write_ply
from ..official.export import write_official
from .arguments import add_avatar, add_json
from .console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_avatar(parser)
    parser.add_argument(
        "out", type=Path, metavar="OUT", help="new folder (model_path), or with --ply a file"
    )
    parser.add_argument(
        "--ply",
        action="store_true",
        help="write only the still Gaussians, in the format of splat viewers",
    )
    add_json(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    if args.ply and args.out.suffix.lower() != ".ply":
        raise ArgumentError(f"{args.out} must end in .ply with --ply")
    console.start("export", path=args.out)
    avatar = load_avatar(args.avatar)
    if args.ply:
        write_ply(avatar.whole(), args.out)
        path, count = args.out, avatar.splats
    else:
        path, count = write_official(avatar, args.out), len(avatar.gaussians)
    console.done(f"{path}: {count} Gaussians", path=path, gaussians=count)
    return 0
