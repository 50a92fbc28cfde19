"""Milliseconds per frame of each stage, with every backend that this Python has."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .. import benchmark
from ..audio.features import FEATURE_SUFFIX
from ..audio.files import load_waveform
from ..avatar.file import load_avatar
from ..avatar.record import Avatar
from ..backends import BACKENDS, backend_named, package_versions, remembering
from ..benchmark import Row
from ..errors import ArgumentError, MissingPackageError
from ..job import BakeJob
from ..machine import machine
from ..plan import MAX_FRAMES, parse_size, track_for, training_tasks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("avatar", type=Path, metavar="AVATAR", help=".egs file")
    add("--audio", type=Path, metavar="FILE", help="default: a sound made here")
    add("--frames", type=int, default=20, metavar="N", help="frames a measurement (default 20)")
    add("--size", metavar="WxH", help="default: the training size")
    add("--backend", choices=("all", *BACKENDS), default="all")
    add("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    if not 1 <= args.frames < MAX_FRAMES:
        raise ArgumentError(f"--frames {args.frames} is outside 1..{MAX_FRAMES - 1}")
    size = parse_size(args.size) if args.size else None
    avatar = load_avatar(args.avatar)
    track = track_for(avatar, args.audio) if args.audio else benchmark.made_track(avatar)
    tasks = training_tasks(avatar, range(1, args.frames + 2), size=size)
    job = BakeJob(args.avatar, avatar.content_hash, track, tasks, Path())
    names = BACKENDS if args.backend == "all" else (args.backend,)
    rows, skipped = _rows(avatar, job, names, args.audio, skip=args.backend == "all")
    result = {
        "avatar": args.avatar.name,
        "splats": len(avatar.gaussians),
        "size": f"{tasks[0].camera.width}x{tasks[0].camera.height}",
        "machine": {**machine(), "packages": package_versions()},
        "stages": [asdict(row) for row in rows],
        "skipped": skipped,
    }
    print(json.dumps(result) if args.json else _table(result, rows))
    return 0


def _rows(
    avatar: Avatar, job: BakeJob, names: tuple[str, ...], sound: Path | None, skip: bool
) -> tuple[list[Row], list[str]]:
    rows: list[Row] = []
    skipped = []
    if sound is None or sound.suffix.lower() != FEATURE_SUFFIX:
        waveform = load_waveform(sound) if sound else benchmark.made_sound()
        rows += benchmark.features(avatar, waveform)
    rows += benchmark.deformation(avatar, job, torch_too="gsplat" in names)
    for name in names:
        try:
            backend = remembering(backend_named(name))
            rows += benchmark.rasterisation(avatar, job, backend)
        except MissingPackageError as error:
            if not skip:
                raise
            skipped.append(f"{name}: {error}")
    rows += benchmark.writing(avatar, job, backend_named("numpy"))
    return rows, skipped


def _table(result: Mapping[str, Any], rows: list[Row]) -> str:
    found = result["machine"]
    packages = ", ".join(f"{name} {text}" for name, text in found["packages"].items())
    lines = [
        f"{result['avatar']}: {result['splats']} splats, {result['size']}",
        f"{found['cpu']}, {found['cores']} cores, {found['system']}, Python {found['python']}",
        packages,
        "",
        f"{'stage':<12} {'backend':<16} {'median ms':>10} {'min ms':>10} {'first ms':>10}",
    ]
    for row in rows:
        figures = " ".join(f"{v:>10.2f}" for v in (row.median_ms, row.min_ms, row.first_ms))
        lines.append(f"{row.stage:<12} {row.backend:<16} {figures}")
    return "\n".join([*lines, *(f"skipped {text}" for text in result["skipped"])])
