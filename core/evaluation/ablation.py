"""The paper's ablation study: the full method, and the method without each of its parts; at last
without the body, which the paper does not have.

Each variant is trained by the `train` command in its own process and then evaluated. Finished
variants are kept: a run that was stopped continues with the variant that it had reached.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ..avatar.file import load_avatar
from ..bake.backends import Backend
from ..bake.loop import make_folder
from ..dataset.load import load_clip
from ..errors import ArgumentError, CancelledError, OutputError, TrainingError
from ..system.files import read_bounded, write_atomic
from ..training.job import STOP
from .evaluate import Options, evaluate, write_report
from .record import document_of
from .report.tables import table

ROOT = Path(__file__).resolve().parents[2]  # the folder that contains `core`
STOPPED = 130
MAX_BYTES = 64 * 2**20
SECONDS_TO_SAVE = 120  # that a training has to save its state and end, before it is killed

# Name -> the options of `train`, in the order of the table.
VARIANTS: dict[str, tuple[str, ...]] = {
    "full": (),
    "no-kan": ("--no-kan",),
    "no-esaa": ("--no-esaa",),
    "no-ppe": ("--no-ppe",),
    "no-hash": ("--no-hash",),
    "no-static-init": ("--no-static-init",),
    "no-body": ("--no-body",),
    "no-mouth": ("--no-mouth",),
}
# Options of `train` that only this command may set.
_PARTS = (option for options in VARIANTS.values() for option in options)
RESERVED = (*_PARTS, "--resume", "--work", "--name")

# Column -> (key in the report, decimal places).
COLUMNS = {
    "PSNR": ("psnr", 2),
    "head": ("psnr_head", 2),
    "mouth": ("psnr_lips", 2),
    "SSIM": ("ssim", 4),
    "LPIPS": ("lpips", 4),
    "LMD": ("lmd", 2),
    "lip sync": ("lip_correlation", 3),
    "eyes": ("eye_correlation", 3),
    "jitter": ("jitter", 3),
    "whole": ("psnr_picture", 2),
    "neck": ("psnr_neck", 2),
    "FPS": ("fps", 1),
}

OnEvent = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Ablation:
    """train: options of the `train` command, for every variant. only: the variants to run; they
    run in the order of VARIANTS. options: of every evaluation."""

    dataset: Path
    folder: Path
    backend: Backend
    train: tuple[str, ...] = ()
    only: tuple[str, ...] = tuple(VARIANTS)
    options: Options = field(default_factory=Options)


def ablate(ablation: Ablation, on_event: OnEvent) -> dict[str, dict[str, Any]]:
    """Variant -> {"options", "seconds", "values": {key: number or null}}, also written to
    ablation.json and ablation.txt in the folder. on_event receives the events of `train --json`
    and of the evaluation, each with the variant's name. Raises ArgumentError, TrainingError,
    CancelledError, and what `evaluate` raises."""
    for option in ablation.train:
        if option.partition("=")[0] in RESERVED:
            raise ArgumentError(f"ablate sets {option} itself; leave it out")
    make_folder(ablation.folder)
    results: dict[str, dict[str, Any]] = {}
    for name in VARIANTS:
        if name in ablation.only:
            results[name] = _variant(ablation, name, partial(_named, on_event, name))
            _write(ablation.folder, results)
    return results


def _named(on_event: OnEvent, name: str, event: Mapping[str, Any]) -> None:
    on_event({"variant": name, **event})


def table_of(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The paper's table, one line for each variant."""
    rows = [["", *COLUMNS, "minutes"]]
    for name, result in results.items():
        cells = [
            "-" if (value := result["values"].get(key)) is None else f"{value:.{digits}f}"
            for key, digits in COLUMNS.values()
        ]
        rows.append([name, *cells, f"{result['seconds'] / 60:.1f}"])
    return "\n".join(table(rows, right=True)) + "\n"


def _variant(ablation: Ablation, name: str, on_event: OnEvent) -> dict[str, Any]:
    """Train and evaluate, unless an earlier run has done so."""
    avatar, report = ablation.folder / f"{name}.egs", ablation.folder / name
    note = ablation.folder / f"{name}.trained.json"
    wanted = [*ablation.train, *VARIANTS[name]]
    known = _read(note)
    if known is not None and known.get("options") != wanted:
        raise ArgumentError(
            f"{note.name} records a training with {' '.join(known.get('options', []))!r}, not "
            f"{' '.join(wanted)!r}; choose another folder, or delete the old files"
        )
    if known is None or not avatar.is_file():
        start = time.monotonic()
        _train(ablation, avatar, wanted, on_event)
        known = {"options": wanted, "seconds": time.monotonic() - start}
        _write_json(note, known)
    values = _values(_read(report / "report.json"), ablation.options)
    if values is None:
        clip, loaded = load_clip(ablation.dataset), load_avatar(avatar)
        made = evaluate(
            loaded,
            clip,
            ablation.backend,
            ablation.options,
            lambda what, done, total: on_event(
                {"event": "evaluating", "step": what, "done": done, "total": total}
            ),
        )
        write_report(made, report)
        values = _values(document_of(made), ablation.options)
    return {"options": wanted, "seconds": known["seconds"], "values": values}


def command(ablation: Ablation, avatar: Path, work: Path, options: Sequence[str]) -> list[str]:
    """The command line of the training; it resumes if `work` exists."""
    python = [sys.executable, "-m", "core", "train"]
    paths = [str(ablation.dataset.absolute()), str(avatar.absolute())]
    resume = ["--resume"] if work.is_dir() else []
    return [*python, *paths, "--json", "--work", str(work.absolute()), *options, *resume]


def _train(ablation: Ablation, avatar: Path, options: Sequence[str], on_event: OnEvent) -> None:
    work = avatar.with_suffix(".training")
    code = _run(command(ablation, avatar, work, options), work, on_event)
    if code == STOPPED:
        raise CancelledError(
            f"stopped while training {avatar.stem}; run the same command to continue"
        )
    if code or not avatar.is_file():
        raise TrainingError(
            f"the training of {avatar.stem} ended with code {code} (its last output is above); "
            f"finished variants are kept, run the same command to continue"
        )


def _run(words: Sequence[str], work: Path, on_event: OnEvent) -> int:
    """The exit code of a training whose JSON events go to `on_event`. An exception in here, such as
    the user's Ctrl-C, asks the training to save its state and end."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path}
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdout=pipe, encoding="utf-8", env=environment) as training:
        try:
            for line in training.stdout or ():
                if (event := _event(line)) is not None:
                    on_event(event)
        except BaseException:
            if work.is_dir():
                (work / STOP).touch()
            with suppress(subprocess.TimeoutExpired):
                training.wait(SECONDS_TO_SAVE)
            training.kill()
            raise
    return training.returncode


def _event(line: str) -> dict[str, Any] | None:
    """None for a line that is not an event, such as a library's own output."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _values(document: Mapping[str, Any] | None, options: Options) -> dict[str, float | None] | None:
    """The numbers of the first requested rows and of the whole frame; None if the report does not
    have them."""
    sections = {} if document is None else document.get("sections", {})
    found = [sections.get(name) for name in (f"rows_{options.rows[0]}", "whole_frame")]
    if found[0] is None:
        return None
    return {key: value for section in found if section for key, value in section["values"].items()}


def _read(path: Path) -> dict[str, Any] | None:
    """None if the file does not exist or is not JSON of ours."""
    if not path.is_file():
        return None
    try:
        document = json.loads(read_bounded(path, OutputError, MAX_BYTES))
    except (ValueError, RecursionError, OutputError):
        return None
    return document if isinstance(document, dict) else None


def _write(folder: Path, results: Mapping[str, Mapping[str, Any]]) -> None:
    _write_json(folder / "ablation.json", results)
    write_atomic(folder / "ablation.txt", [table_of(results).encode()])


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    text = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False)
    write_atomic(path, [text.encode("utf-8", "replace")])
