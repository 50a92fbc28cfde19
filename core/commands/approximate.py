"""Measure which Gaussians of an avatar may be held still, for renders with --approximate."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

from ..audio.features import track_for
from ..avatar.file import SUFFIX, load_avatar, save_avatar
from ..bake.backends import CHOICES, choose_backend
from ..bake.freezing import FRAMES, LEAST, hold
from ..errors import ArgumentError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("avatar", type=Path, metavar="AVATAR", help=".egs file")
    add("out", type=Path, metavar="OUT.egs", help="the same avatar with what was found")
    add("--audio", type=Path, required=True, metavar="FILE", help="speech of half a minute or so")
    add("--least", type=float, default=LEAST, metavar="DB", help=f"PSNR (default {LEAST:g})")
    add("--frames", type=int, default=FRAMES, metavar="N", help=f"pictures (default {FRAMES})")
    add("--backend", choices=CHOICES, default="auto")
    add("--json", action="store_true", help="the result as JSON")


def run(args: argparse.Namespace) -> int:
    if args.out.suffix.lower() != SUFFIX:
        raise ArgumentError(f"{args.out} must end in {SUFFIX}")
    if not 20 <= args.least <= 90:
        raise ArgumentError(f"--least {args.least:g} is outside 20..90 dB; 54 is usual")
    if not 1 <= args.frames <= 10_000:
        raise ArgumentError(f"--frames {args.frames} is outside 1..10000")
    avatar = load_avatar(args.avatar)
    track = track_for(avatar, args.audio)
    frozen = hold(
        avatar, track, args.audio.name, choose_backend(args.backend),
        least=args.least, frames=args.frames, told=_show,
    )  # fmt: skip
    content_hash = save_avatar(replace(avatar, frozen_gaussians=frozen), args.out)
    count = len(avatar.gaussians)
    if args.json:
        values = None if frozen is None else {"rows": len(frozen), **asdict(frozen.measured)}
        result = {"file": str(args.out), "gaussians": count, "held": values, "sha256": content_hash}
        print(json.dumps(result))
    elif frozen is None:
        print(f"{args.out}: nothing can be frozen within {args.least:g} dB")
    else:
        found = frozen.measured
        print(
            f"{args.out}: {len(frozen)} of {count} Gaussians can be frozen; {found.frames} "
            f"pictures agree with exact ones to {found.worst:.1f} dB or better, "
            f"{found.mean:.1f} on average"
        )
    return 0


def _show(done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r{done}/{total} pictures", end=end, file=sys.stderr, flush=True)
