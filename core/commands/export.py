"""Write an avatar as a checkpoint of the official code, or its Gaussians as a .ply."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..avatar.file import load_avatar
from ..errors import ArgumentError
from ..formats.ply import write_ply
from ..official.export import write_official


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("avatar", type=Path, metavar="AVATAR.egs", help="the avatar")
    parser.add_argument(
        "out", type=Path, metavar="OUT", help="a new folder (model_path), or with --ply the file"
    )
    parser.add_argument(
        "--ply", action="store_true", help="the still Gaussians alone, as splat viewers read them"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    if args.ply and args.out.suffix.lower() != ".ply":
        raise ArgumentError(f"{args.out} must end in .ply with --ply")
    avatar = load_avatar(args.avatar)
    if args.ply:
        write_ply(avatar.gaussians, args.out)
        path = args.out
    else:
        path = write_official(avatar, args.out)
    if args.json:
        result = {"path": str(path), "gaussians": len(avatar.gaussians)}
        print(json.dumps(result, ensure_ascii=False))
    else:
        print(f"{path}: {len(avatar.gaussians)} Gaussians")
    return 0
