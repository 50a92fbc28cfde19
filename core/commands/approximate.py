"""Measure which Gaussians of an avatar may be frozen, for renders with --approximate."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path

from ..audio.features import track_for
from ..avatar.file import load_avatar, save_avatar
from ..bake.backends import CHOICES, choose_backend
from ..bake.freezing import FRAMES, LEAST, freeze
from ..errors import ArgumentError
from .arguments import add_avatar, add_backend, add_json, check_avatar_path
from .console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_avatar(parser)
    add("out", type=Path, metavar="OUT.egs", help="file for the avatar with the measurement")
    add(
        "--audio",
        type=Path,
        required=True,
        metavar="FILE",
        help="about half a minute of speech, or its features (.npy)",
    )
    add(
        "--least",
        type=float,
        default=LEAST,
        metavar="DB",
        help=f"lowest PSNR allowed, against exact pictures (default: {LEAST:g})",
    )
    add(
        "--frames",
        type=int,
        default=FRAMES,
        metavar="N",
        help=f"number of pictures to compare (default: {FRAMES})",
    )
    add_backend(parser, CHOICES)
    add_json(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    check_avatar_path(args.out)
    if not 20 <= args.least <= 90:
        raise ArgumentError(f"--least {args.least:g} is outside 20..90 dB; 54 is usual")
    if not 1 <= args.frames <= 10_000:
        raise ArgumentError(f"--frames {args.frames} is outside 1..10000")
    console.start("approximate", path=args.out)
    avatar = load_avatar(args.avatar)
    track = track_for(avatar, args.audio)
    frozen = freeze(
        avatar, track, args.audio.name, choose_backend(args.backend),
        least=args.least, frames=args.frames,
        on_progress=lambda done, total: console.progress("pictures", done, total),
    )  # fmt: skip
    content_hash = save_avatar(replace(avatar, frozen_gaussians=frozen), args.out)
    count = len(avatar.gaussians)
    if frozen is None:
        values, text = None, f"nothing can be frozen within {args.least:g} dB"
    else:
        found = frozen.measured
        values = {"rows": len(frozen), **asdict(found)}
        text = (
            f"{len(frozen)} of {count} Gaussians can be frozen; {found.frames} pictures agree with "
            f"exact ones to {found.worst:.1f} dB or better, {found.mean:.1f} on average"
        )
    console.done(
        f"{args.out}: {text}",
        path=args.out,
        file=args.out,
        gaussians=count,
        held=values,
        sha256=content_hash,
    )
    return 0
