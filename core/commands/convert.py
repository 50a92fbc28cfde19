"""Make an .egs avatar from an official output folder or a .ply."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..avatar.file import SUFFIX, save_avatar
from ..dataset.features import KINDS
from ..errors import ArgumentError
from ..official.importing import ImportOptions, import_avatar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        type=Path,
        metavar="CHECKPOINT_DIR_or_PLY",
        help="output folder of a training (model_path), one of its iteration_N folders, or a .ply",
    )
    parser.add_argument("out", type=Path, metavar="OUT.egs", help="the avatar file to write")
    parser.add_argument(
        "--dataset",
        type=Path,
        metavar="DIR",
        help="dataset folder: background, poses and eyes",
    )
    parser.add_argument("--iteration", type=int, metavar="N", help="default: the largest fine one")
    parser.add_argument(
        "--torso-frame", type=int, metavar="I", help="torso image to take, default: the first"
    )
    parser.add_argument(
        "--features",
        default="auto",
        choices=("auto", *KINDS),
        help="sound features of the training; auto: log-mel with mel.npz, DeepSpeech without",
    )
    parser.add_argument(
        "--feature-stats", type=Path, metavar="FILE.npz", help="mean and std per log-mel band"
    )
    parser.add_argument("--name", default="", help="default: the source's name")
    parser.add_argument("--licence", default="", metavar="TEXT", help="who may use the avatar how")
    parser.add_argument(
        "--half", action="store_true", help="tri-planes and harmonics as float16: a smaller file"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    if args.out.suffix.lower() != SUFFIX:
        raise ArgumentError(
            f"{args.out} must end in {SUFFIX}; avatars are written in no other format"
        )
    options = ImportOptions(
        dataset=args.dataset,
        iteration=args.iteration,
        torso_frame=args.torso_frame,
        features=args.features,
        feature_stats=args.feature_stats,
        name=args.name,
        licence=args.licence,
    )
    avatar, notes = import_avatar(args.source, options)
    content_hash = save_avatar(avatar, args.out, half=args.half)
    size = args.out.stat().st_size
    kind = "still" if avatar.network is None else avatar.network.kind
    if args.json:
        result = {
            "file": str(args.out),
            "kind": kind,
            "gaussians": len(avatar.gaussians),
            "bytes": size,
            "sha256": content_hash,
            "notes": list(notes),
        }
        print(json.dumps(result, ensure_ascii=False))
        return 0
    for note in notes:
        print(f"note: {note}")
    print(f"{args.out}: {kind}, {len(avatar.gaussians)} Gaussians, {size / 1e6:.1f} MB")
    return 0
