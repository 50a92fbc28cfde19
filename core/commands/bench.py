"""Milliseconds per frame of each stage, with every backend that this Python has."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..audio.features import FEATURE_SUFFIX, track_for
from ..audio.files import load_waveform
from ..avatar.file import load_avatar
from ..bake.backends import (
    BACKENDS,
    Backend,
    backend_named,
    choose_backend,
    in_half_precision,
    package_versions,
)
from ..bake.plan import parse_size, training_tasks
from ..benchmarks import scaling, stages, startup, training, video
from ..benchmarks.rows import Row
from ..errors import ArgumentError, MissingPackageError
from ..records.avatar import Avatar
from ..records.job import BakeJob
from ..records.timeline import MAX_FRAMES
from ..system.machine import machine
from .arguments import add_json
from .console import Console

PARTS = ("stages", "scaling", "startup", "training", "video")
REMOVED = "roofline"  # a former part, refused with the names of the others


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("avatar", type=Path, metavar="AVATAR", help=".egs file")
    add("--audio", type=Path, metavar="FILE", help="default: a sound made here")
    add("--frames", type=int, default=20, metavar="N", help="frames a measurement (default 20)")
    add("--size", metavar="WxH", help="default: the training size")
    add("--backend", choices=("all", *BACKENDS), default="all")
    add("--parts", nargs="+", metavar="PART", choices=(*PARTS, REMOVED), default=PARTS,
        help=f"of {', '.join(PARTS)}; default: all of them")  # fmt: skip
    add("--video", type=Path, metavar="FILE", help="a talking person, for the part video")
    add_json(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    if not 1 <= args.frames < MAX_FRAMES:
        raise ArgumentError(f"--frames {args.frames} is outside 1..{MAX_FRAMES - 1}")
    if REMOVED in args.parts:
        raise ArgumentError(f"--parts {REMOVED} was removed; choose from {', '.join(PARTS)}")
    if "video" in args.parts and args.video is None and args.parts != PARTS:
        raise ArgumentError("--parts video needs a film of a talking person: --video FILE")
    size = parse_size(args.size) if args.size else None
    avatar = load_avatar(args.avatar)
    track = track_for(avatar, args.audio) if args.audio else stages.made_track(avatar)
    tasks = training_tasks(avatar, range(1, args.frames + 2), size=size)
    job = BakeJob(args.avatar, avatar.content_hash, track, tasks, Path())
    skipped: list[str] = []
    rows = list(_rows(args, avatar, job, skipped))
    result: dict[str, Any] = {
        "avatar": args.avatar.name,
        "splats": avatar.splats,
        "size": f"{tasks[0].camera.width}x{tasks[0].camera.height}",
        "machine": {**machine(), "packages": package_versions()},
        "stages": [asdict(row) for row in rows],
        "skipped": skipped,
    }
    console.done(_table(result, rows), **result)
    return 0


def _rows(
    args: argparse.Namespace, avatar: Avatar, job: BakeJob, skipped: list[str]
) -> Iterator[Row]:
    names = BACKENDS if args.backend == "all" else (args.backend,)
    if "stages" in args.parts:
        yield from _stages(avatar, job, names, args, skipped)
    if "scaling" in args.parts:
        yield from scaling.authors(avatar, job)
        for name in names:
            try:
                yield from _scaling(avatar, job, backend_named(name))
            except MissingPackageError as error:
                if "stages" not in args.parts:  # they name it too
                    skipped.append(f"{name}: {error}")
    if "startup" in args.parts:
        name = "auto" if args.backend == "all" else args.backend
        yield from startup.startup(args.avatar, choose_backend(name).name)
    if "training" in args.parts:
        try:
            yield from training.rasterising(avatar, job)
            for compiled in (False, True):
                yield training.layers(compiled)
                yield training.losses(compiled)
        except MissingPackageError as error:
            skipped.append(f"training: {error}")
    if "video" in args.parts and args.video is not None:
        try:
            yield from video.preparing(args.video)
        except MissingPackageError as error:
            skipped.append(f"video: {error}")


def _stages(
    avatar: Avatar,
    job: BakeJob,
    names: tuple[str, ...],
    args: argparse.Namespace,
    skipped: list[str],
) -> Iterator[Row]:
    sound = args.audio
    if sound is None or sound.suffix.lower() != FEATURE_SUFFIX:
        waveform = load_waveform(sound) if sound else stages.made_sound()
        yield from stages.features(avatar, waveform)
    for name in names:
        try:
            yield from stages.frames(avatar, job, backend_named(name))
        except MissingPackageError as error:
            if args.backend != "all":
                raise
            skipped.append(f"{name}: {error}")
    yield from stages.writing(avatar, job, backend_named("numpy"))


def _scaling(avatar: Avatar, job: BakeJob, backend: Backend) -> Iterator[Row]:
    if backend.name == "numba":
        yield from scaling.threads(avatar, job)
        yield from scaling.counts(avatar, job)
    if backend.batches is not None:
        for each in (backend, in_half_precision(backend)):
            yield from scaling.sizes(avatar, job, each)


def _table(result: Mapping[str, Any], rows: list[Row]) -> str:
    found = result["machine"]
    packages = ", ".join(f"{name} {text}" for name, text in found["packages"].items())
    titles = ("median ms", "min ms", "first ms", "cpu ms")
    lines = [
        f"{result['avatar']}: {result['splats']} splats, {result['size']}",
        f"{found['cpu']}, {found['cores']} cores, {found['system']}, Python {found['python']}",
        packages,
        "",
        f"{'stage':<18} {'backend':<30} " + " ".join(f"{title:>10}" for title in titles),
    ]
    for row in rows:
        values = (row.median_ms, row.min_ms, row.first_ms, row.cpu_ms)
        figures = " ".join(f"{v:>10.2f}" for v in values)
        lines.append(f"{row.stage:<18} {row.backend:<30} {figures}")
    return "\n".join([*lines, *(f"skipped {text}" for text in result["skipped"])])
