"""Train an avatar on a dataset or a video: a still head first, then how speech moves it."""

from __future__ import annotations

import argparse
import importlib.util
import signal
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..dataset.rows import ROWS
from ..errors import MissingPackageError
from ..prepare.options import PrepareOptions
from ..training.config import ARRANGEMENTS, PRECISIONS, PRESETS, TrainConfig, config_for
from ..training.folder import check_places, dataset_folder, work_folder
from ..training.job import STOP, TrainJob
from .arguments import add_json, add_licence, add_lpips, check_avatar_path
from .console import Console
from .prepare import prepared

# Options that replace one number of the preset: type, meaning.
NUMBERS = {
    "seed": (int, "seed of the random numbers"),
    "points": (int, "Gaussians at the beginning"),
    "max_points": (int, "Gaussians at most"),
    "batch": (int, "frames per step"),
    "scale": (float, "scale of the pictures' width and height, 0.05 to 1"),
    "static_steps": (int, "steps of the static stage"),
    "lips_steps": (int, "steps of the lips stage"),
    "motion_steps": (int, "steps of the motion stage"),
    "body_steps": (int, "steps of the body stage"),
    "body_points": (int, "Gaussians of neck and shoulders"),
    "preview_every": (int, "steps between two previews; 0 for none"),
}
# Parts of the method that can be left out.
PARTS = {
    "kan": "the KAN layers (linear ones instead)",
    "esaa": "the agents of the attention (plain attention instead)",
    "ppe": "the positional encoding",
    "hash": "the hash tables of the tri-plane (dense planes instead)",
    "static_init": "the static stage",
    "mouth": "the numbers of the mouth's shape (the network hears all features instead)",
    "body": "neck and shoulders (a flat picture behind the head instead)",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "dataset",
        type=Path,
        metavar="DATASET_or_VIDEO",
        help="dataset folder, or a video that is prepared first",
    )
    add("out", type=Path, metavar="OUT.egs", help="avatar file to write")
    add(
        "--preset",
        choices=PRESETS,
        default="good",
        help="number of steps and Gaussians (default: good)",
    )
    add(
        "--minutes",
        type=float,
        metavar="M",
        help="stop after that time; all stages are scaled to it",
    )
    add(
        "--arrangement",
        choices=ARRANGEMENTS,
        default="paper",
        help="network of the paper or of the official code (default: paper)",
    )
    add(
        "--features",
        default=None,
        metavar="KIND",
        help="kind of sound features (default: the arrangement's)",
    )
    add(
        "--feature-files",
        type=Path,
        nargs="+",
        default=(),
        metavar="NPY",
        help="files of these features, if they are not computed here",
    )
    add(
        "--rows",
        choices=ROWS,
        default="train",
        help="frames to learn from; all: also the held-out ones (default: train)",
    )
    add(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="default: cuda if it can be used",
    )
    add(
        "--work",
        type=Path,
        metavar="DIR",
        help="folder for state, log and previews (default: OUT.training)",
    )
    add("--resume", action="store_true", help="continue from the state in the work folder")
    add(
        "--init",
        type=Path,
        metavar="PLY",
        help="file whose points are the first Gaussians",
    )
    add("--name", default="", help="name of the avatar (default: the file's name)")
    add_licence(parser)
    add("--perceptual", type=float, metavar="W", help="weight of the LPIPS loss (default: 0)")
    add_lpips(parser)
    add(
        "--precision",
        choices=PRECISIONS,
        help="number format of the layers; bfloat16 is faster on GPUs only (default: float32)",
    )
    for name, (kind, meaning) in NUMBERS.items():
        help_text = f"{meaning} (default: the preset's)"
        add(f"--{name.replace('_', '-')}", type=kind, metavar="N", help=help_text)
    for part, meaning in PARTS.items():
        add(f"--no-{part.replace('_', '-')}", action="store_true", help=f"leave out {meaning}")
    add_json(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    check_avatar_path(args.out)
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
    if args.dataset.is_file():  # preparing is slow: first everything that can fail at once
        job = replace(job, dataset=_prepared(args, console))
    # Ctrl-C works like the stop file: the training ends between two steps and saves its state.
    before = signal.signal(signal.SIGINT, lambda *_: _stop(job.work))
    try:
        train(job, partial(_report, console))
    finally:
        signal.signal(signal.SIGINT, before)
    return 0


def _prepared(args: argparse.Namespace, console: Console) -> Path:
    """The dataset of a video, next to the avatar; finished steps are kept."""
    folder = Path(dataset_folder(args.out, args.dataset))
    prepared(args.dataset, folder, PrepareOptions(), console)
    return folder


def _stop(work: Path) -> None:
    """Ask the training to stop; without a work folder it has not begun."""
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


def _report(console: Console, event: Mapping[str, Any]) -> None:
    """Pass on an event of the trainer."""
    kind = event["event"]
    fields = {key: value for key, value in event.items() if key not in ("event", "path", "text")}
    if kind == "start":
        console.start("train", f"training on {event['device']}", **fields)
    elif kind == "progress":
        stage, step, steps = event["stage"], event["step"], event["steps"]
        console.progress(stage, step, steps, _quality(event), **fields)
    elif kind == "preview":
        line = f"preview: {event['path']}{_decibels(event)}"
        console.saved("preview", event["path"], line, **fields)
    elif kind == "saved":
        console.saved("state", event["path"], **fields)
    elif kind == "note":
        console.note(event["text"], **fields)
    elif kind == "done":
        path = event["path"]
        console.done(f"done: {path}{_decibels(event)}", path=path, **fields)


def _quality(event: Mapping[str, Any]) -> str:
    loss = "" if event["loss"] is None else f", loss {event['loss']:.4f}"
    return f"{loss}{_decibels(event)}, {event['gaussians']} Gaussians"


def _decibels(event: Mapping[str, Any]) -> str:
    return "" if event["psnr"] is None else f", {event['psnr']:.2f} dB"
