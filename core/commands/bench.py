"""Milliseconds per frame of each stage, with every backend that this Python has, and why."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..audio.features import FEATURE_SUFFIX, track_for
from ..audio.files import load_waveform
from ..avatar.file import load_avatar
from ..bake.backends import BACKENDS, backend_named, choose_backend, package_versions, remembering
from ..bake.plan import parse_size, training_tasks
from ..benchmarks import roofline, scaling, splatting, stages, startup
from ..benchmarks.rows import Row
from ..errors import ArgumentError, MissingPackageError
from ..records.avatar import Avatar
from ..records.job import BakeJob
from ..records.timeline import MAX_FRAMES
from ..system.machine import machine
from .arguments import add_json
from .console import Console

GPU_ROWS = "torch CUDA"  # how batches_torch.py names them
PARTS = ("stages", "scaling", "roofline", "startup", "training")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("avatar", type=Path, metavar="AVATAR", help=".egs file")
    add("--audio", type=Path, metavar="FILE", help="default: a sound made here")
    add("--frames", type=int, default=20, metavar="N", help="frames a measurement (default 20)")
    add("--size", metavar="WxH", help="default: the training size")
    add("--backend", choices=("all", *BACKENDS), default="all")
    add("--parts", nargs="+", choices=PARTS, default=PARTS, help="default: all of them")
    add_json(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    if not 1 <= args.frames < MAX_FRAMES:
        raise ArgumentError(f"--frames {args.frames} is outside 1..{MAX_FRAMES - 1}")
    size = parse_size(args.size) if args.size else None
    avatar = load_avatar(args.avatar)
    track = track_for(avatar, args.audio) if args.audio else stages.made_track(avatar)
    tasks = training_tasks(avatar, range(1, args.frames + 2), size=size)
    job = BakeJob(args.avatar, avatar.content_hash, track, tasks, Path())
    skipped: list[str] = []
    rows = list(_rows(args, avatar, job, skipped))
    result: dict[str, Any] = {
        "avatar": args.avatar.name,
        "splats": len(avatar.gaussians),
        "size": f"{tasks[0].camera.width}x{tasks[0].camera.height}",
        "machine": {**machine(), "packages": package_versions()},
        "stages": [asdict(row) for row in rows],
        "skipped": skipped,
    }
    deforms = [row.min_ms for row in rows if row.stage == "deform" and row.backend in BACKENDS]
    if "roofline" in args.parts and avatar.network is not None:
        if deforms:
            result["roofline"] = asdict(roofline.roofline(avatar, min(deforms)))
        on_gpu = [row for row in rows if row.stage == "deform" and GPU_ROWS in row.backend]
        if on_gpu:
            result["gpu"] = asdict(roofline.gpu_roofline(avatar, on_gpu))
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
        try:
            if "numba" in names:
                yield from scaling.threads(avatar, job)
                yield from scaling.counts(avatar, job)
            if with_torch(names):
                yield from scaling.batches(avatar, job)
        except MissingPackageError as error:
            skipped.append(f"scaling: {error}")
    if "startup" in args.parts:
        name = "auto" if args.backend == "all" else args.backend
        yield from startup.startup(args.avatar, choose_backend(name).name)
    if "training" in args.parts:
        try:
            yield from splatting.splatting(avatar, job)
        except MissingPackageError as error:
            skipped.append(f"training: {error}")


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
    yield from stages.deformation(avatar, job, torch_too=with_torch(names))
    for name in names:
        try:
            backend = remembering(backend_named(name))
            yield from stages.rasterisation(avatar, job, backend)
        except MissingPackageError as error:
            if args.backend != "all":
                raise
            skipped.append(f"{name}: {error}")
    yield from stages.writing(avatar, job, backend_named("numpy"))
    yield from stages.encoding(avatar, job, backend_named("numpy"))


def with_torch(names: tuple[str, ...]) -> bool:
    return not {"gsplat", "nvrtc"}.isdisjoint(names)


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
    if "roofline" in result:
        lines += ["", *_roofline(result["roofline"])]
    if "gpu" in result:
        lines += ["", *_gpu(result["gpu"])]
    return "\n".join([*lines, *(f"skipped {text}" for text in result["skipped"])])


def _roofline(found: Mapping[str, Any]) -> list[str]:
    top, work = found["ceilings"], found["deform"]
    return [
        f"ceilings: {top['gemm_gflops']:.0f} GFLOP/s in matrix products of numpy, "
        f"{top['tile_gflops']:.0f} in the fused loop alone, {top['copy_gbs']:.1f} GB/s copied",
        f"deform: {work['gflop']:.2f} GFLOP and {work['megabytes']:.0f} MB a frame, at best "
        f"{found['bound_ms']:.1f} ms; the fastest row takes {found['measured_ms']:.1f} ms, "
        f"{found['reached']:.0%} of the ceiling",
    ]


def _gpu(found: Mapping[str, Any]) -> list[str]:
    top = found["ceilings"]
    return [
        f"{top['device']}: {top['gemm_gflops'] / 1e3:.1f} TFLOP/s in float32 products, "
        f"{top['half_gflops'] / 1e3:.1f} in float16, {top['copy_gbs']:.0f} GB/s copied",
        f"deform: at best {found['float_ms']:.3f} ms a frame in float32, {found['half_ms']:.3f} in "
        f"float16; the fastest rows take {found['measured_float_ms']:.3f} and "
        f"{found['measured_half_ms']:.3f} ms",
    ]
