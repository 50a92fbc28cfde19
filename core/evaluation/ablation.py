"""The paper's ablations: the whole method, and without each of its four parts.

Every variant is trained by the `train` command in a process of its own and then evaluated. What is
finished is kept: a run that was stopped goes on with the variant that it was in.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

from ..avatar.file import load_avatar
from ..bake.backends import Backend
from ..bake.loop import make_folder
from ..dataset.load import load_clip
from ..errors import ArgumentError, CancelledError, OutputError, TrainingError
from ..system.files import read_bounded, write_atomic
from .evaluate import Options, evaluate, write_report
from .record import document_of
from .report.tables import table

ROOT = Path(__file__).resolve().parents[2]  # the folder that holds `core`
STOPPED = 130
MAX_BYTES = 64 * 2**20
PATIENCE = 120  # seconds that a training has to save its state and end

# Name -> the options of `train`, in the order of the table.
VARIANTS: dict[str, tuple[str, ...]] = {
    "full": (),
    "no-kan": ("--no-kan",),
    "no-esaa": ("--no-esaa",),
    "no-ppe": ("--no-ppe",),
    "no-static-init": ("--no-static-init",),
}
# What is this command's own to decide.
TAKEN = ("--no-kan", "--no-esaa", "--no-ppe", "--no-static-init", "--resume", "--work", "--name")

# Column -> (key of the evaluation, digits behind the point).
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
    "FPS": ("fps", 1),
}

Tell = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Ablation:
    """train: options for every variant, as the `train` command takes them. only: the variants, in
    the order of VARIANTS. options: of every evaluation."""

    dataset: Path
    folder: Path
    backend: Backend
    train: tuple[str, ...] = ()
    only: tuple[str, ...] = tuple(VARIANTS)
    options: Options = field(default_factory=Options)


def ablate(ablation: Ablation, tell: Tell) -> dict[str, dict[str, Any]]:
    """Variant -> {"seconds", "values": {key: number or null}}; also as ablation.json and .txt in
    the folder. tell: every event of train's JSON lines and of the evaluation, with the variant's
    name in it. ArgumentError, TrainingError, CancelledError, and what evaluate raises."""
    for option in ablation.train:
        if option.partition("=")[0] in TAKEN:
            raise ArgumentError(f"{option} is not for ablate to pass on; leave it out")
    make_folder(ablation.folder)
    results: dict[str, dict[str, Any]] = {}
    for name in VARIANTS:
        if name in ablation.only:
            results[name] = _variant(ablation, name, partial(_named, tell, name))
            _write(ablation.folder, results)
    return results


def _named(tell: Tell, name: str, event: Mapping[str, Any]) -> None:
    tell({"variant": name, **event})


def table_of(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The paper's table, one line a variant."""
    rows = [["", *COLUMNS, "minutes"]]
    for name, result in results.items():
        cells = [
            "-" if (value := result["values"].get(key)) is None else f"{value:.{digits}f}"
            for key, digits in COLUMNS.values()
        ]
        rows.append([name, *cells, f"{result['seconds'] / 60:.1f}"])
    return "\n".join(table(rows, right=True)) + "\n"


def _variant(ablation: Ablation, name: str, tell: Tell) -> dict[str, Any]:
    """Train and evaluate, each only where that is not done yet."""
    avatar, report = ablation.folder / f"{name}.egs", ablation.folder / name
    note = ablation.folder / f"{name}.trained.json"
    wanted = [*ablation.train, *VARIANTS[name]]
    known = _read(note)
    if known is not None and known.get("options") != wanted:
        raise ArgumentError(
            f"{note.name} tells of a training with {' '.join(known.get('options', []))!r}, not "
            f"{' '.join(wanted)!r}; give another folder, or delete the old files"
        )
    if known is None or not avatar.is_file():
        start = time.monotonic()
        _train(ablation, avatar, wanted, tell)
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
            lambda what, done, total: tell(
                {"event": "evaluating", "step": what, "done": done, "total": total}
            ),
        )
        write_report(made, report)
        values = _values(document_of(made), ablation.options)
    return {"options": wanted, "seconds": known["seconds"], "values": values}


def command(ablation: Ablation, avatar: Path, work: Path, options: Sequence[str]) -> list[str]:
    """The training's command line; it goes on with what lies in `work`."""
    python = [sys.executable, "-m", "core", "train"]
    paths = [str(ablation.dataset.absolute()), str(avatar.absolute())]
    resume = ["--resume"] if work.is_dir() else []
    return [*python, *paths, "--json", "--work", str(work.absolute()), *options, *resume]


def _train(ablation: Ablation, avatar: Path, options: Sequence[str], tell: Tell) -> None:
    work = avatar.with_suffix(".training")
    with _process(command(ablation, avatar, work, options), work) as (lines, popen):
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                tell(event)
        code = popen.wait()
    if code == STOPPED:
        raise CancelledError(f"stopped while training {avatar.stem}; the same command goes on")
    if code or not avatar.is_file():
        raise TrainingError(
            f"the training of {avatar.stem} ended with code {code} (its last words are above); "
            f"the finished variants are kept, the same command goes on"
        )


@contextmanager
def _process(words: list[str], work: Path) -> Iterator[tuple[IO[str], subprocess.Popen[str]]]:
    """A training that ends with us: it is asked to stop and to save its state."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    popen = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": path},
    )
    assert popen.stdout is not None
    try:
        yield popen.stdout, popen
    except BaseException:
        if work.is_dir():
            (work / "stop").touch()
        try:
            popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            popen.kill()
        raise
    finally:
        popen.stdout.close()


def _values(document: Mapping[str, Any] | None, options: Options) -> dict[str, float | None] | None:
    """The numbers of the first rows that were asked for; None where the report has none."""
    if document is None:
        return None
    section = document.get("sections", {}).get(f"rows_{options.rows[0]}")
    return None if section is None else dict(section["values"])


def _read(path: Path) -> dict[str, Any] | None:
    """None for a file that is not there or was not written here."""
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
