"""Make an .egs avatar from an official output folder, or a still from splats."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..avatar.file import save_avatar
from ..dataset.features import KINDS
from ..official.importing import ImportOptions, import_avatar
from ..official.upright import AXES, UNITS
from .arguments import add_json, add_licence, check_avatar_path
from .console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "source",
        type=Path,
        metavar="CHECKPOINT_DIR_or_PLY",
        help="output folder of a training (model_path), one of its iteration_N folders, or the "
        "Gaussians of a still: .ply (also compressed), .splat, .ksplat, .spz, .sog, or a "
        "checkpoint (.pt, .pth, .ckpt) of gsplat, nerfstudio or 3D Gaussian Splatting",
    )
    add("out", type=Path, metavar="OUT.egs", help="avatar file to write")
    add(
        "--dataset",
        type=Path,
        metavar="DIR",
        help="dataset folder, for background and torso images, head poses and eyes",
    )
    add(
        "--iteration",
        type=int,
        metavar="N",
        help="iteration to convert (default: the last of the fine stage)",
    )
    add(
        "--torso-frame",
        type=int,
        metavar="I",
        help="frame whose torso image is taken (default: the first)",
    )
    add(
        "--features",
        default="auto",
        choices=("auto", *KINDS),
        help="sound features of the training (default: log-mel if the dataset has mel.npz, "
        "otherwise DeepSpeech)",
    )
    add(
        "--feature-stats",
        type=Path,
        metavar="FILE.npz",
        help="mean and standard deviation of each log-mel band",
    )
    add(
        "--axes",
        choices=AXES,
        default="auto",
        help="up in a still: y-up as talking-head trainers write, y-down as most splat tools, z-up "
        "as Blender (default: what the file says; else y-up for .ply, .spz and .sog, y-down for "
        "the others and compressed .ply)",
    )
    add(
        "--unit",
        choices=UNITS,
        default="auto",
        help="unit of a still (default: what the file says; else decimetre for .ply, metre for "
        "the others and compressed .ply)",
    )
    add("--name", default="", help="name of the avatar (default: the name of the source)")
    add_licence(parser)
    add(
        "--half",
        action="store_true",
        help="store tri-planes and harmonics as float16, for a smaller file",
    )
    add_json(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    check_avatar_path(args.out)
    options = ImportOptions(
        dataset=args.dataset,
        iteration=args.iteration,
        torso_frame=args.torso_frame,
        features=args.features,
        feature_stats=args.feature_stats,
        name=args.name,
        licence=args.licence,
        axes=args.axes,
        unit=args.unit,
    )
    console.start("convert", source=args.source, path=args.out)
    avatar, notes = import_avatar(args.source, options)
    for note in notes:
        console.note(note)
    content_hash = save_avatar(avatar, args.out, half=args.half)
    size = args.out.stat().st_size
    kind = "still" if avatar.network is None else avatar.network.kind
    count = len(avatar.gaussians)
    console.done(
        f"{args.out}: {kind}, {count} Gaussians, {size / 1e6:.1f} MB",
        path=args.out,
        file=args.out,
        kind=kind,
        gaussians=count,
        bytes=size,
        sha256=content_hash,
        notes=notes,
    )
    return 0
