"""The whole measurement of an avatar on a dataset, and its three files."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..bake.backends import Backend
from ..bake.loop import make_folder
from ..dataset.load import Frame, TrainingClip
from ..dataset.rows import rows_to_measure
from ..errors import InputError
from ..records.avatar import Avatar
from ..system.files import write_atomic
from ..system.machine import machine
from . import cross_driven, self_driven
from .landmark_detector import DetectorMeter
from .landmark_regression import Reader, taught_on, teach
from .landmarks import Binding
from .lips import lip_gap
from .lpips import LpipsMeter
from .measures import measured
from .phonemes import Spoken, load_phonemes
from .record import Metric, Report, Section, document_of
from .render import Driver, bound, driver_for, gap_of
from .report.page import page_of
from .report.strips import StripMaker
from .report.tables import text_of
from .self_section import NO_LANDMARKS, self_section
from .silence import silence_metrics
from .sounds import SILENT_AT, Heard, heard_by, silence_like

PHONEMES = ("phonemes_all.json", "phonemes.json")  # of a dataset, where its text is known
MAX_QUIET = 200  # rows driven by silence

Tell = Callable[[str, int, int], None]  # (what, done, total)
Record = TypeVar("Record")


@dataclass(frozen=True)
class Options:
    """rows: "val", "more", "train" or frame numbers; several are sections of one report. audio:
    sounds for the cross-driven part. context: the sound around the rows is heard too; without it
    nothing is, as in the authors' loader. lpips: .npz of weights. phonemes: for the first sound of
    `audio`, where it is not a file of the sound's name with .json."""

    rows: tuple[str, ...] = ("val",)
    audio: tuple[Path, ...] = ()
    context: bool = False
    lpips: Path | None = None
    phonemes: Path | None = None


def evaluate(
    avatar: Avatar, clip: TrainingClip, backend: Backend, options: Options, tell: Tell
) -> Report:
    """tell: called after every frame. Raises InputError where a part of it cannot be read, before
    anything is computed."""
    driver = driver_for(avatar, backend, clip)
    parts = [(text, rows_to_measure(clip, text)) for text in options.rows]
    heard = [heard_by(avatar, clip, rows, split=not options.context) for _, rows in parts]
    sounds = [cross_driven.other_sound(driver, path) for path in options.audio]
    spoken = [_spoken_in(path, options, index) for index, path in enumerate(options.audio)]
    meters = [LpipsMeter(options.lpips, len(rows)) for _, rows in parts]
    observers = _observers(driver, tell)
    backend.warm_up()
    sections = [
        _self(driver, sound, text, rows, observers, meter, tell)
        for (text, rows), sound, meter in zip(parts, heard, meters, strict=True)
    ]
    for index, (sound, said) in enumerate(zip(sounds, spoken, strict=True), start=1):
        sections.append(_cross(driver, sound, f"audio_{index}", parts[0][1], observers, said, tell))
    return Report(
        f"{avatar.name or 'Avatar'} on {clip.folder.resolve().name}",
        _facts(avatar, clip, backend, observers, options),
        tuple(sections),
        clip.notes,
    )


def write_report(report: Report, folder: Path) -> tuple[Path, ...]:
    """report.json, .txt and .html in `folder`, each whole or not at all. OutputError."""
    make_folder(folder)
    document = json.dumps(document_of(report), ensure_ascii=False, indent=1, allow_nan=False)
    files = {"report.json": document + "\n", "report.txt": text_of(report)}
    files["report.html"] = page_of(report)
    for name, text in files.items():
        write_atomic(folder / name, [text.encode("utf-8", "replace")])
    return tuple(folder / name for name in files)


@dataclass(frozen=True, eq=False)
class _Observers:
    """Who tells where lips and eyes are: the Gaussians, and a reader of pictures."""

    binding: Binding | None
    reader: Reader | None
    learnt: int  # frames that the reader learnt from


def _observers(driver: Driver, tell: Tell) -> _Observers:
    clip = driver.clip
    whole = heard_by(driver.avatar, clip, clip.train_rows, split=False)
    binding = bound(driver, whole)
    if binding is None:
        return _Observers(None, None, 0)
    rows = taught_on(clip.train_rows)

    def picture(index: int) -> np.ndarray:
        tell("reader", index + 1, len(rows))
        return clip.decode(rows[index]).original.astype(np.float32) / np.float32(255)

    cameras = [clip.camera(row) for row in rows]
    landmarks = clip.landmarks[list(rows)].astype(np.float64)
    return _Observers(binding, teach(binding.mean, cameras, landmarks, picture), len(rows))


def _self(
    driver: Driver,
    heard: Heard,
    text: str,
    rows: tuple[int, ...],
    observers: _Observers,
    meter: LpipsMeter,
    tell: Tell,
) -> Section:
    strips, detector = StripMaker(driver.clip, rows), DetectorMeter(len(rows))

    def look(frame: Frame, picture: np.ndarray, truth: np.ndarray) -> None:
        strips.look(frame, picture, truth)
        meter.add(picture, truth)
        detector.add(picture, truth)

    driver.seconds.clear()
    watched = self_driven.watch(driver, heard, rows, observers.binding, observers.reader, look)
    seen = _last(watched, text, len(rows), tell)
    quiet = _quiet_gap(driver, heard, rows, observers.binding)
    true, gap = (lip_gap(landmarks, seen.up) for landmarks in (seen.true, seen.read))
    surface = lip_gap(seen.surface, seen.up)[: len(quiet)]
    spoken = _spoken_of(driver.clip)
    more = (
        *detector.metrics(),
        *silence_metrics(surface, quiet, NO_LANDMARKS),
        cross_driven.closure_metric(spoken, 0, rows, gap),
        cross_driven.closure_metric(spoken, 0, rows, true, "closures_true"),
        _speed(driver),
    )
    title = f"Driven by its own sound: frames {rows[0]} to {rows[-1]} ({text})"
    lpips = meter.metric()
    return self_section(f"rows_{text}", title, seen, heard, lpips, more, strips.strips())


def _cross(
    driver: Driver,
    heard: Heard,
    key: str,
    poses: tuple[int, ...],
    observers: _Observers,
    spoken: tuple[Spoken, ...] | None,
    tell: Tell,
) -> Section:
    speaking = cross_driven.speak(driver, heard, poses, observers.binding, observers.reader)
    spoke = _last(speaking, key, cross_driven.rows_of_sound(heard), tell)
    return cross_driven.cross_section(key, driver, heard, spoke, spoken)


def _last(records: Iterator[Record], what: str, total: int, tell: Tell) -> Record:
    """The record when it is full; told after each row."""
    record = None
    for done, record in enumerate(records, start=1):  # noqa: B007  the last one is returned
        tell(what, done, total)
    assert record is not None
    return record


def _speed(driver: Driver) -> Metric:
    seconds = float(np.median(driver.seconds)) if driver.seconds else math.nan
    size = f"{driver.clip.width}x{driver.clip.height}"
    where = f"{driver.backend.label} on {driver.backend.device}"
    fastest = 1 / min(driver.seconds) if driver.seconds else math.nan
    note = f"deform and draw {size}, {where}; median, {fastest:.3g} at best"
    return measured("fps", 1 / seconds, note)


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
    avatar: Avatar,
    clip: TrainingClip,
    backend: Backend,
    observers: _Observers,
    options: Options,
) -> dict[str, str]:
    here = machine()
    kind = "still" if avatar.network is None else avatar.network.kind
    features = "none" if avatar.features is None else avatar.features.kind
    facts = {
        "Avatar": f"{avatar.name}, {kind}, {len(avatar.gaussians)} Gaussians, hears {features}",
        "File": f"sha256 {avatar.content_hash}" if avatar.content_hash else "not written",
        "Dataset": f"{clip.folder.resolve().name}: {len(clip.train_rows)} frames to train, "
        f"{len(clip.val_rows)} held out, {len(clip.more_rows)} more, {clip.width}x{clip.height}",
        "Heard": "the sound around the frames too"
        if options.context
        else "the frames' own sound, nothing around it",
        "Drawn by": f"{backend.label} on {backend.device} ({here['cpu']}, {here['cores']} cores)",
    }
    if observers.reader is not None:
        facts["Reader"] = f"learnt from {observers.learnt} training frames"
    if observers.binding is not None:
        off = float(np.nanmean(observers.binding.distances))
        facts["Surface"] = f"Gaussians {10 * off:.2f} cm from their landmarks on average"
    if avatar.licence:
        facts["Licence"] = avatar.licence
    return facts
