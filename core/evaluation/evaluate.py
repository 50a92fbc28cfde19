"""The whole measurement of an avatar on a dataset, and its three files."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..avatar.record import Avatar
from ..backends import Backend
from ..bake import make_folder
from ..errors import InputError
from ..files import write_atomic
from ..machine import machine
from ..training.clip import Frame, TrainingClip
from . import cross_driven, self_driven
from .drive import Driver, bound, driver_for, gap_of
from .landmarks import Binding
from .lpips import LpipsMeter
from .page import page_of
from .phonemes import Spoken, load_phonemes
from .record import Metric, Report, Section, document_of, measured
from .rows import rows_of
from .self_section import NO_LANDMARKS, self_section
from .silence import silence_metrics
from .sounds import SILENT_AT, Heard, heard_by, silence_like
from .strips import StripMaker
from .tables import text_of

PHONEMES = ("phonemes_all.json", "phonemes.json")  # of a dataset, where its text is known
MAX_QUIET = 200  # rows driven by silence

Tell = Callable[[str, int, int], None]  # (what, done, total)


@dataclass(frozen=True)
class Options:
    """rows: "val", "more", "train" or frame numbers; several are sections of one report. audio:
    sounds for the cross-driven part. split: nothing is heard outside the rows, as in the authors'
    loader. lpips: .npz of weights. phonemes: for the first sound of `audio`, where it is not a file
    of the sound's name with .json."""

    rows: tuple[str, ...] = ("val",)
    audio: tuple[Path, ...] = ()
    split: bool = False
    lpips: Path | None = None
    phonemes: Path | None = None


def evaluate(
    avatar: Avatar, clip: TrainingClip, backend: Backend, options: Options, tell: Tell
) -> Report:
    """tell: called after every frame. Raises InputError where a part of it cannot be read, before
    anything is computed."""
    driver = driver_for(avatar, backend, clip)
    parts = [(text, rows_of(clip, text)) for text in options.rows]
    sounds = [cross_driven.other_sound(driver, path) for path in options.audio]
    spoken = [_spoken_in(path, options, index) for index, path in enumerate(options.audio)]
    meters = [LpipsMeter(options.lpips, len(rows)) for _, rows in parts]
    backend.warm_up()
    whole = heard_by(avatar, clip, clip.train_rows, split=False)
    binding = bound(driver, whole)
    sections = []
    for (text, rows), meter in zip(parts, meters, strict=True):
        heard = heard_by(avatar, clip, rows, options.split)
        sections.append(_self(driver, heard, text, rows, binding, meter, tell))
    for index, (heard, said) in enumerate(zip(sounds, spoken, strict=True)):
        key = f"audio_{index + 1}"
        poses = parts[0][1]
        spoke = None
        total = cross_driven.rows_of_sound(heard)
        for done, spoke in enumerate(cross_driven.speak(driver, heard, poses, binding), start=1):
            tell(key, done, total)
        assert spoke is not None
        sections.append(cross_driven.cross_section(key, driver, heard, spoke, said))
    return Report(
        f"{avatar.name or 'Avatar'} on {clip.folder.resolve().name}",
        _facts(avatar, clip, backend, binding),
        tuple(sections),
        clip.notes,
    )


def write_report(report: Report, folder: Path) -> tuple[Path, ...]:
    """report.json, report.txt and report.html in `folder`, each whole or not at all. OutputError."""
    make_folder(folder)
    document = json.dumps(document_of(report), ensure_ascii=False, indent=1, allow_nan=False)
    files = {"report.json": document + "\n", "report.txt": text_of(report)}
    files["report.html"] = page_of(report)
    for name, text in files.items():
        write_atomic(folder / name, [text.encode("utf-8", "replace")])
    return tuple(folder / name for name in files)


def _self(
    driver: Driver,
    heard: Heard,
    text: str,
    rows: tuple[int, ...],
    binding: Binding | None,
    meter: LpipsMeter,
    tell: Tell,
) -> Section:
    strips = StripMaker(driver.clip, rows)

    def look(frame: Frame, picture: np.ndarray, truth: np.ndarray) -> None:
        strips.look(frame, picture, truth)
        meter.add(picture, truth)

    driver.seconds.clear()
    seen = None
    for done, seen in enumerate(self_driven.watch(driver, heard, rows, binding, look), start=1):
        tell(text, done, len(rows))
    assert seen is not None
    speed = _speed(driver)
    quiet = _quiet_gap(driver, heard, rows, binding)
    spoken = _spoken_of(driver.clip)
    extra = (
        meter.metric(),
        speed,
        *silence_metrics(seen.lip_gap[: len(quiet)], quiet, NO_LANDMARKS),
        cross_driven.closure_metric(spoken, 0, rows, seen.lip_gap),
        cross_driven.closure_metric(spoken, 0, rows, seen.true_lip_gap, ", true lips"),
    )
    key = f"rows_{text}"
    title = f"Driven by its own sound: frames {rows[0]} to {rows[-1]} ({text})"
    return self_section(key, title, seen, heard, extra, strips.strips())


def _speed(driver: Driver) -> Metric:
    seconds = float(np.median(driver.seconds)) if driver.seconds else math.nan
    size = f"{driver.clip.width}x{driver.clip.height}"
    where = f"{driver.backend.label} on {driver.backend.device}"
    return measured(
        "fps", "Frames a second", 1 / seconds, "", "up", note=f"deform and draw {size}, {where}"
    )


def _quiet_gap(
    driver: Driver, heard: Heard, rows: tuple[int, ...], binding: Binding | None
) -> np.ndarray:
    """(R,) lip gap of the first rows, driven by silence with their own poses and eyes."""
    rows = rows[:MAX_QUIET]
    out = np.full(len(rows), np.nan)
    if binding is None:
        return out
    silence = silence_like(driver.avatar, heard)
    for index, row in enumerate(rows):
        splats = driver.splats(silence, SILENT_AT, row)
        out[index] = gap_of(binding, splats, driver.clip.camera(row))
    return out


def _spoken_of(clip: TrainingClip) -> tuple[Spoken, ...] | None:
    """What the dataset's own sound says, where it tells; a file of another kind tells nothing."""
    for name in PHONEMES:
        if (clip.folder / name).is_file():
            try:
                return load_phonemes(clip.folder / name)
            except InputError:
                continue
    return None


def _spoken_in(path: Path, options: Options, index: int) -> tuple[Spoken, ...] | None:
    if index == 0 and options.phonemes is not None:
        return load_phonemes(options.phonemes)
    beside = path.with_suffix(".json")
    return load_phonemes(beside) if beside.is_file() else None


def _facts(
    avatar: Avatar, clip: TrainingClip, backend: Backend, binding: Binding | None
) -> dict[str, str]:
    here = machine()
    kind = "still" if avatar.network is None else avatar.network.kind
    features = "none" if avatar.features is None else avatar.features.kind
    facts = {
        "Avatar": f"{avatar.name}, {kind}, {len(avatar.gaussians)} Gaussians, hears {features}",
        "File": f"sha256 {avatar.content_hash}" if avatar.content_hash else "not written",
        "Dataset": f"{clip.folder.resolve().name}: {len(clip.train_rows)} frames to train, "
        f"{len(clip.val_rows)} held out, {len(clip.more_rows)} more, {clip.width}x{clip.height}",
        "Drawn by": f"{backend.label} on {backend.device} ({here['cpu']}, {here['cores']} cores)",
    }
    if binding is not None and np.isfinite(binding.distances).any():
        off = float(np.nanmean(binding.distances))
        facts["Landmarks"] = f"each by its nearest Gaussians, {10 * off:.2f} cm away on average"
    if avatar.licence:
        facts["Licence"] = avatar.licence
    return facts
