"""Measure an avatar on a dataset, and write the report's three files."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..avatar.binding import Binding
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
from .landmark_regression import LandmarkRegression, fit_regression, sample_of
from .lips import lip_gap
from .lpips import LpipsMeter
from .measures import measured
from .phonemes import Phoneme, load_phonemes
from .record import Metric, Report, Section, document_of
from .render import Renderer, bind_landmarks, renderer_for, surface_gap
from .report.page import page_of
from .report.strips import StripMaker
from .report.tables import text_of
from .self_section import NO_LANDMARKS, self_section
from .silence import silence_metrics
from .sounds import SILENT_AT, Voice, silent_track, voice_of
from .whole_frame import whole_section

PHONEMES = ("phonemes_all.json", "phonemes.json")  # of a dataset whose text is known
MAX_QUIET = 200  # rows that are also driven by silence

OnProgress = Callable[[str, int, int], None]  # (what, done, total)
Record = TypeVar("Record")


@dataclass(frozen=True)
class Options:
    """rows: "val", "more", "train" or frame numbers; each gives one section of the report. audio:
    voices for the cross-driven sections. context: the network receives the sound around the rows
    too; without it silence, as in the authors' loader. lpips: .npz of weights. phonemes: of the
    first file in `audio`, if it is not the file of the same name with .json."""

    rows: tuple[str, ...] = ("val",)
    audio: tuple[Path, ...] = ()
    context: bool = False
    lpips: Path | None = None
    phonemes: Path | None = None


@dataclass(frozen=True, eq=False)
class _Trackers:
    """Locate the avatar's lips and eyes: by its Gaussians, and in its pictures by a regression that
    was fitted to `frames` training frames. None if the dataset has no landmarks."""

    binding: Binding | None
    regression: LandmarkRegression | None
    frames: int


@dataclass(frozen=True, eq=False)
class _Run:
    renderer: Renderer
    trackers: _Trackers
    on_progress: OnProgress


def evaluate(
    avatar: Avatar, clip: TrainingClip, backend: Backend, options: Options, on_progress: OnProgress
) -> Report:
    """Measure the avatar. on_progress is called after every frame. Raises InputError before
    anything is computed if a part of the input cannot be read."""
    # Around the head the authors' protocol shows the true frame, so a body would cover it.
    head = replace(avatar, body=None, content_hash="") if avatar.body else avatar
    renderer = renderer_for(head, backend, clip)
    parts = [(text, rows_to_measure(clip, text)) for text in options.rows]
    own_voices = [voice_of(avatar, clip, rows, split=not options.context) for _, rows in parts]
    other_voices = [cross_driven.other_voice(renderer, path) for path in options.audio]
    phonemes = [_phonemes_of_sound(path, options, i) for i, path in enumerate(options.audio)]
    meters = [LpipsMeter(options.lpips, len(rows)) for _, rows in parts]
    run = _Run(renderer, _trackers(renderer, on_progress), on_progress)
    backend.warm_up()
    sections = [
        _self_driven(run, voice, text, rows, meter)
        for (text, rows), voice, meter in zip(parts, own_voices, meters, strict=True)
    ]
    whole = renderer_for(avatar, backend, clip) if avatar.body else renderer
    rows, progress = parts[0][1], partial(on_progress, "whole frame")
    sections.append(whole_section(whole, own_voices[0], rows, progress))
    for index, voice in enumerate(other_voices):
        key, poses = f"audio_{index + 1}", parts[0][1]
        sections.append(_cross_driven(run, voice, key, poses, phonemes[index]))
    return Report(
        f"{avatar.name or 'Avatar'} on {clip.folder.resolve().name}",
        _facts(avatar, clip, backend, run.trackers, options),
        tuple(sections),
        clip.notes,
    )


def write_report(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write report.json, .txt and .html to `folder`, each atomically. OutputError."""
    make_folder(folder)
    document = json.dumps(document_of(report), ensure_ascii=False, indent=1, allow_nan=False)
    files = {"report.json": document + "\n", "report.txt": text_of(report)}
    files["report.html"] = page_of(report)
    for name, text in files.items():
        write_atomic(folder / name, [text.encode("utf-8", "replace")])
    return tuple(folder / name for name in files)


def _trackers(renderer: Renderer, on_progress: OnProgress) -> _Trackers:
    clip = renderer.clip
    voice = voice_of(renderer.avatar, clip, clip.train_rows, split=False)
    binding = bind_landmarks(renderer, voice)
    if binding is None:
        return _Trackers(None, None, 0)
    rows = sample_of(clip.train_rows)

    def picture(index: int) -> np.ndarray:
        on_progress("reader", index + 1, len(rows))
        return clip.decode(rows[index]).original.astype(np.float32) / np.float32(255)

    cameras = [clip.camera(row) for row in rows]
    landmarks = clip.landmarks[list(rows)].astype(np.float64)
    regression = fit_regression(binding.mean, cameras, landmarks, picture)
    return _Trackers(binding, regression, len(rows))


def _self_driven(
    run: _Run, voice: Voice, text: str, rows: tuple[int, ...], meter: LpipsMeter
) -> Section:
    renderer, binding = run.renderer, run.trackers.binding
    strips, detector = StripMaker(renderer.clip, rows), DetectorMeter(len(rows))

    def on_frame(frame: Frame, picture: np.ndarray, truth: np.ndarray) -> None:
        strips.add(frame, picture, truth)
        meter.add(picture, truth)
        detector.add(picture, truth)

    renderer.seconds.clear()
    regression = run.trackers.regression
    steps = self_driven.render_rows(renderer, voice, rows, binding, regression, on_frame)
    driven = _last(steps, text, len(rows), run.on_progress)
    quiet = _quiet_gap(renderer, voice, rows, binding)
    true, gap = (lip_gap(points, driven.up) for points in (driven.true, driven.predicted))
    surface = lip_gap(driven.surface, driven.up)[: len(quiet)]
    phonemes = _phonemes_of_clip(renderer.clip)
    more = (
        *detector.metrics(),
        *silence_metrics(surface, quiet, NO_LANDMARKS),
        cross_driven.closure_metric(phonemes, 0, rows, gap),
        cross_driven.closure_metric(phonemes, 0, rows, true, "closures_true"),
        _speed(renderer),
    )
    title = f"Driven by its own sound: frames {rows[0]} to {rows[-1]} ({text})"
    lpips = meter.metric()
    return self_section(f"rows_{text}", title, driven, voice, lpips, more, strips.strips())


def _cross_driven(
    run: _Run,
    voice: Voice,
    key: str,
    poses: tuple[int, ...],
    phonemes: tuple[Phoneme, ...] | None,
) -> Section:
    renderer, trackers = run.renderer, run.trackers
    steps = cross_driven.render_voice(renderer, voice, poses, trackers.binding, trackers.regression)
    driven = _last(steps, key, cross_driven.row_count(voice), run.on_progress)
    return cross_driven.cross_section(key, renderer, voice, driven, phonemes)


def _last(records: Iterator[Record], what: str, total: int, on_progress: OnProgress) -> Record:
    """The record after its last row; reports progress after each row."""
    record = None
    for done, record in enumerate(records, start=1):  # noqa: B007  returned below
        on_progress(what, done, total)
    assert record is not None
    return record


def _speed(renderer: Renderer) -> Metric:
    seconds = float(np.median(renderer.seconds)) if renderer.seconds else math.nan
    size = f"{renderer.clip.width}x{renderer.clip.height}"
    where = f"{renderer.backend.label} on {renderer.backend.device}"
    fastest = 1 / min(renderer.seconds) if renderer.seconds else math.nan
    note = f"deformation and rasterisation of {size}, {where}; median; fastest {fastest:.3g}"
    return measured("fps", 1 / seconds, note)


def _quiet_gap(
    renderer: Renderer, voice: Voice, rows: tuple[int, ...], binding: Binding | None
) -> np.ndarray:
    """(R,) lip gap of the first rows, pixels, with their own poses and eyes but driven by
    silence."""
    rows = rows[:MAX_QUIET]
    out = np.full(len(rows), np.nan)
    if binding is None:
        return out
    silence = silent_track(renderer.avatar, voice)
    for index, row in enumerate(rows):
        splats = renderer.splats(silence, SILENT_AT, row)
        out[index] = surface_gap(binding, splats, renderer.clip.camera(row))
    return out


def _phonemes_of_clip(clip: TrainingClip) -> tuple[Phoneme, ...] | None:
    """The phonemes of the dataset's own sound, if it has a file of them that can be read."""
    for name in PHONEMES:
        if (clip.folder / name).is_file():
            try:
                return load_phonemes(clip.folder / name)
            except InputError:
                continue
    return None


def _phonemes_of_sound(path: Path, options: Options, index: int) -> tuple[Phoneme, ...] | None:
    if index == 0 and options.phonemes is not None:
        return load_phonemes(options.phonemes)
    default = path.with_suffix(".json")
    return load_phonemes(default) if default.is_file() else None


def _facts(
    avatar: Avatar,
    clip: TrainingClip,
    backend: Backend,
    trackers: _Trackers,
    options: Options,
) -> dict[str, str]:
    here = machine()
    body = "" if avatar.body is None else f" and {len(avatar.body)} of the body"
    kind = "still" if avatar.network is None else avatar.network.kind
    features = "none" if avatar.features is None else avatar.features.kind
    facts = {
        "Avatar": f"{avatar.name}, {kind}, {len(avatar.gaussians)} Gaussians{body}, driven by "
        f"{features}",
        "File": f"sha256 {avatar.content_hash}" if avatar.content_hash else "not written",
        "Dataset": f"{clip.folder.resolve().name}: {len(clip.train_rows)} frames to train, "
        f"{len(clip.val_rows)} held out, {len(clip.more_rows)} more, {clip.width}x{clip.height}",
        "Heard": "the sound around the frames too"
        if options.context
        else "the frames' own sound, nothing around it",
        "Drawn by": f"{backend.label} on {backend.device} ({here['cpu']}, {here['cores']} cores)",
    }
    if trackers.regression is not None:
        facts["Reader"] = f"fitted to {trackers.frames} training frames"
    if trackers.binding is not None:
        off = float(np.nanmean(trackers.binding.distances))
        facts["Surface"] = f"Gaussians {10 * off:.2f} cm from their landmarks on average"
    if avatar.licence:
        facts["Licence"] = avatar.licence
    return facts
