"""Arguments that several commands take, each declared once, and the checks that go with them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..avatar.file import SUFFIX
from ..avatar.motion import POSE_SOURCES
from ..errors import ArgumentError
from ..records.job import FILE_FORMATS, Existing
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
    add = parser.add_argument
    add_frames(parser, frames)
    add("--size", metavar="WxH", help=f"picture size in pixels (default: {size})")
    add_approximate(parser, approximate)
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
    add_existing(parser)
    add_engine(parser)


def add_existing(parser: argparse.ArgumentParser) -> None:
    """What to do with files that are there. `existing_of` reads it."""
    parser.add_argument(
        "--skip-existing",
        action="store_true",
        help="keep finished frames: those of the same avatar, sound, controls, camera and format. "
        "Frames of this avatar that were made otherwise, or are cut off, are baked again; other "
        "files stop the bake before it begins (default: write every frame)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="with --skip-existing: replace files that this avatar did not make",
    )


def existing_of(args: argparse.Namespace) -> Existing:
    if args.overwrite and not args.skip_existing:
        raise ArgumentError(
            "--overwrite is an option of --skip-existing; without it every frame is written anyway"
        )
    return Existing(args.skip_existing, args.overwrite)


def add_frames(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--frames",
        metavar="RANGE",
        help=f"frames to write, such as 5, 1-100 or 1-10,20 (default: {default})",
    )


def add_approximate(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--approximate",
        action="store_true",
        help="on a CPU: freeze the Gaussians that speech barely moves; run `approximate` once "
        f"before (default: {default})",
    )


def add_splats(parser: argparse.ArgumentParser) -> None:
    """What splat files hold."""
    parser.add_argument(
        "--step", type=_step, default=1, metavar="N", help="write each Nth frame (default: 1)"
    )
    parser.add_argument(
        "--sh-degree",
        type=int,
        choices=range(4),
        default=3,
        help="spherical harmonics to write: 0 for colours that do not depend on the view "
        "(default: 3)",
    )


def _step(text: str) -> int:
    step = int(text)
    if step < 1:
        raise argparse.ArgumentTypeError(f"{text} must be 1 or more")
    return step


def add_engine(parser: argparse.ArgumentParser) -> None:
    from ..engine.choose import KINDS  # not at the top: Blender must start quickly

    parser.add_argument(
        "--engine",
        choices=KINDS,
        default="auto",
        help="compute in this process (builtin) or in another one (worker); default: the worker "
        "if it starts",
    )


def add_controls(parser: argparse.ArgumentParser) -> None:
    """What moves the head, besides the sound. `controls_of` reads them."""
    add = parser.add_argument
    add("--fps", type=float, default=25.0, help="frames per second (default: 25)")
    add(
        "--audio-offset",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="time at which the sound begins (default: 0)",
    )
    add("--pose", choices=POSE_SOURCES, default="track", help="head motion (default: track)")
    add("--strength", type=float, default=1.0, help="strength of the deformation (default: 1)")
    add(
        "--mouth-gain",
        type=float,
        default=1.0,
        help="factor on the sound features, 0 for silence (default: 1)",
    )
    add("--opacity", type=float, default=1.0, help="opacity of the head (default: 1)")
    add(
        "--colour-gain",
        type=float,
        default=1.0,
        help="factor on the head's colours (default: 1)",
    )


def controls_of(args: argparse.Namespace) -> dict[str, Any]:
    """The options of `add_controls` and --approximate, as keywords of plan.training_tasks."""
    return {
        "fps": args.fps,
        "offset": args.audio_offset,
        "pose": args.pose,
        "strength": args.strength,
        "mouth_gain": args.mouth_gain,
        "opacity": args.opacity,
        "colour_gain": args.colour_gain,
        "approximate": args.approximate,
    }


def check_avatar_path(path: Path) -> None:
    """ArgumentError unless the avatar to write ends in .egs."""
    if path.suffix.lower() != SUFFIX:
        raise ArgumentError(f"{path} must end in {SUFFIX}; avatars are written in no other format")
