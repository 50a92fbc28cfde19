"""`python -m tools.refit_mouth HEAD.egs CLIP OUT.egs`: fits the map from the sound to the numbers
of the mouth anew (docs/training.md), for an avatar that was trained on CLIP by an earlier version.

The network stays: it shows measured numbers, which are the same as before. Measure the frozen
Gaussians again afterwards (`python -m core approximate`)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from core.avatar.file import load_avatar, save_avatar
from core.dataset.load import load_clip
from core.dataset.rows import ROWS, rows_to_train
from core.dataset.sound import training_track
from core.errors import EgsError
from core.training.mouth import HeardMouth, heard_mouth


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.refit_mouth", description=__doc__)
    parser.add_argument("avatar", type=Path, help="an avatar with numbers of the mouth")
    parser.add_argument("clip", type=Path, help="the dataset that it was trained on")
    parser.add_argument("out", type=Path, help="file for the avatar with the new map")
    parser.add_argument("--rows", choices=ROWS, default=ROWS[0], help="the frames of its training")
    args = parser.parse_args(argv)
    try:
        avatar, clip = load_avatar(args.avatar), load_clip(args.clip)
        if avatar.features is None or avatar.features.mouth is None:
            print(f"error: {args.avatar} has no numbers of the mouth", file=sys.stderr)
            return 2
        track, spec = training_track(clip, avatar.features.kind)
        found = heard_mouth(clip, track, spec, rows_to_train(clip, args.rows))
        if not isinstance(found, HeardMouth):
            print(f"error: {args.clip}: {found}", file=sys.stderr)
            return 2
        save_avatar(replace(avatar, features=found.spec), args.out)
    except EgsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{args.out}: lips from the sound, on unseen frames: {found.correlation:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
