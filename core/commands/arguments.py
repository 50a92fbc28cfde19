"""Arguments that several commands take, each declared once, and the checks that go with them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..avatar.file import SUFFIX
from ..errors import ArgumentError
from ..records.job import FILE_FORMATS
from ..records.shutter import MAX_SAMPLES


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object per line (docs/formats.md)"
    )


def add_avatar(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("avatar", type=Path, metavar="AVATAR", help="avatar file (.egs)")


def add_dataset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="dataset folder")


def add_backend(parser: argparse.ArgumentParser, choices: Sequence[str]) -> None:
    parser.add_argument(
        "--backend",
        choices=choices,
        default="auto",
        help="library that computes the pictures (default: the fastest installed)",
    )


def add_measuring(parser: argparse.ArgumentParser) -> None:
    """Options that `evaluate` and `ablate` share; the caller adds --rows."""
    parser.add_argument(
        "--context",
        action="store_true",
        help="include the sound before and after the measured frames; the authors' loader does not",
    )
    add_lpips(parser)


def add_lpips(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--lpips",
        type=Path,
        metavar="NPZ",
        help="weights of LPIPS (AlexNet)",
    )


def add_licence(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--licence", default="", metavar="TEXT", help="who may use the avatar, and for what"
    )


def add_bake(
    parser: argparse.ArgumentParser,
    *,
    frames: str,
    size: str,
    approximate: str,
    motion_blur: str,
    xmp: str,
) -> None:
    """Options of `render` and of Blender's command. frames and so on: their defaults, as the help
    shows them. Without --no-xmp, `xmp` of the result is None."""
    from ..engine.choose import KINDS  # not at the top: Blender must start quickly

    add = parser.add_argument
    add(
        "--frames",
        metavar="RANGE",
        help=f"frames to write, such as 5, 1-100 or 1-10,20 (default: {frames})",
    )
    add("--size", metavar="WxH", help=f"picture size in pixels (default: {size})")
    add(
        "--approximate",
        action="store_true",
        help="on a CPU: freeze the Gaussians that speech barely moves; run `approximate` once "
        f"before (default: {approximate})",
    )
    add(
        "--camera",
        choices=("training", "scene"),
        default="training",
        help="camera of the training video, or of the Blender scene (default: training)",
    )
    add(
        "--format",
        choices=FILE_FORMATS,
        default="png",
        help="file format; exr-multilayer also holds depth and matte (default: png)",
    )
    add(
        "--motion-blur",
        type=int,
        default=0,
        metavar="SAMPLES",
        help=f"average that many moments for each picture, 2 to {MAX_SAMPLES} "
        f"(default: {motion_blur})",
    )
    add(
        "--no-xmp",
        dest="xmp",
        action="store_false",
        default=None,
        help="write no XMP metadata, which declares the pictures synthetic and names the avatar "
        f"(default: {xmp})",
    )
    add(
        "--engine",
        choices=KINDS,
        default="auto",
        help="compute in this process (builtin) or in another one (worker); default: the worker "
        "if it starts",
    )


def check_avatar_path(path: Path) -> None:
    """ArgumentError unless the avatar to write ends in .egs."""
    if path.suffix.lower() != SUFFIX:
        raise ArgumentError(f"{path} must end in {SUFFIX}; avatars are written in no other format")
