"""The avatar driven by another voice. There are no true frames to compare with, so the section
measures how the lips follow the loudness, whether they rest in silence and pauses, and whether they
close for m, b and p."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..audio.features import is_feature_file, track_for
from ..audio.files import load_waveform
from ..avatar.binding import Binding
from ..errors import ArgumentError
from ..pages.records import Curve, Strip
from ..records.arrays import Float64
from ..records.timeline import ROW_RATE, ping_pong
from .landmark_regression import LandmarkRegression
from .measures import measured
from .phonemes import Phoneme, closures
from .record import Metric, Section
from .render import Renderer, frame_lip_gap, opaque_rgb, surface_gap
from .report.pictures import cropped, enlarged, to_bytes
from .report.strips import COLUMNS, MOUTH_HEIGHT, mouth_box
from .self_driven import UNIT
from .self_section import NO_LANDMARKS, NO_SOUND
from .silence import pause_metrics, silence_metrics
from .sounds import SILENT_AT, Voice, silent_track
from .sync import SPAN, best_shift, correlation, shifted

MAX_ROWS = 1500  # a minute

ABOUT = (
    "Driven by another voice, with the head motion of held-out frames. There are no true lips to "
    "compare with, but a good mouth opens with the voice, rests in silence, and closes for m, b "
    "and p."
)


@dataclass(eq=False)
class CrossDriven:
    """Lip gaps (R,) in pixels, NaN if unknown or not rendered yet. predicted: from the pictures, by
    the regression. surface: of the Gaussians. quiet: of the Gaussians driven by silence, with the
    same poses and eyes. pictures: of a few rows, (row of the voice, frame that gave the pose,
    (H, W, 3) uint8)."""

    predicted: Float64
    surface: Float64
    quiet: Float64
    pictures: list[tuple[int, int, NDArray[np.uint8]]] = field(default_factory=list)

    @property
    def gap(self) -> Float64:
        """(R,) from the pictures if known, else of the surface."""
        return self.predicted if np.isfinite(self.predicted).any() else self.surface


def other_voice(renderer: Renderer, path: Path) -> Voice:
    """The sound at `path` (or its features, .npy) with the track for the avatar. AudioError,
    FeatureMismatchError; ArgumentError if it is empty."""
    ready = is_feature_file(path) and renderer.avatar.features is not None
    waveform = None if ready else load_waveform(path)
    track = track_for(renderer.avatar, path if waveform is None else waveform)
    voice = Voice(track, 0, waveform, path.name)
    if not row_count(voice):
        raise ArgumentError(f"{path} contains no sound; give another file")
    return voice


def row_count(voice: Voice) -> int:
    """Rows of the voice that are rendered, a minute at most."""
    rows = len(voice.track)
    if voice.waveform is not None:
        rows = -(-len(voice.waveform) * int(ROW_RATE) // voice.waveform.rate)
    return min(rows, MAX_ROWS)


def render_voice(
    renderer: Renderer,
    voice: Voice,
    poses: tuple[int, ...],
    binding: Binding | None,
    regression: LandmarkRegression | None,
) -> Iterator[CrossDriven]:
    """Render row by row; yields the same record after each, filled so far. poses: frames of the
    clip that give poses, eyes and backgrounds, played forwards and backwards."""
    clip, count = renderer.clip, row_count(voice)
    unknown = np.full((3, count), np.nan)
    driven = CrossDriven(unknown[0], unknown[1], unknown[2])
    silence = silent_track(renderer.avatar, voice)
    chosen = set(np.linspace(0, count - 1, min(COLUMNS, count)).round().astype(int).tolist())
    for index in range(count):
        row = poses[ping_pong(index, len(poses))]
        camera, seconds = clip.camera(row), index / ROW_RATE
        splats = renderer.splats(voice.track, seconds, row)
        if index in chosen or regression is not None:
            background = clip.frame(row).background.astype(np.float32) * UNIT
            picture = opaque_rgb(renderer.backend.rasterise(splats, camera, background))
            if index in chosen:
                driven.pictures.append((index, row, to_bytes(picture)))
            if regression is not None:
                landmarks = regression.predict(picture, camera)
                driven.predicted[index] = frame_lip_gap(landmarks, camera)
        if binding is not None:
            driven.surface[index] = surface_gap(binding, splats, camera)
            quiet = renderer.splats(silence, SILENT_AT, row)
            driven.quiet[index] = surface_gap(binding, quiet, camera)
        yield driven


def cross_section(
    key: str,
    renderer: Renderer,
    voice: Voice,
    driven: CrossDriven,
    phonemes: tuple[Phoneme, ...] | None,
) -> Section:
    """phonemes: of the voice, if known."""
    rows = tuple(range(len(driven.gap)))
    loud = voice.loudness(rows)
    shifts = shifted(rows, driven.gap, loud)
    shift, at_best = best_shift(shifts)
    no_sound = NO_SOUND if voice.waveform is None else NO_LANDMARKS
    at_zero = correlation(driven.gap, loud)
    best = f"best at a shift of {shift} frames: {at_best:.3f}"
    metrics = (
        measured("loudness_correlation", at_zero, best, no_sound, better="up"),
        *pause_metrics(driven.gap, loud, no_sound),
        *silence_metrics(driven.surface, driven.quiet, NO_LANDMARKS),
        closure_metric(phonemes, 0, rows, driven.gap),
    )
    return Section(
        key,
        f"Another voice: {voice.source}",
        ABOUT,
        metrics,
        _curves(key, driven, loud, shifts),
        _strips(renderer, driven),
    )


def closure_metric(
    phonemes: tuple[Phoneme, ...] | None,
    first: int,
    rows: tuple[int, ...],
    gap: Float64,
    key: str = "closures",
) -> Metric:
    """key: "closures" of the avatar's lips, "closures_true" of the true ones."""
    found = closures(phonemes or (), first, rows, gap)
    missing = "no m, b or p in these frames, or no landmarks"
    if phonemes is None:
        missing = "the phonemes are not known (give a JSON file of their times next to the sound)"
    return measured(key, found.share, f"share of {found.count} such sounds", missing)


def _curves(key: str, driven: CrossDriven, loud: Float64, shifts: Float64) -> tuple[Curve, ...]:
    if not np.isfinite(driven.gap).any():
        return ()
    seconds = tuple(index / ROW_RATE for index in range(len(driven.gap)))
    gap = {"voice": tuple(driven.gap), "silence (surface)": tuple(driven.quiet)}
    curves = [Curve(f"{key}_lips", "Lip gap", "seconds", "pixels", seconds, gap)]
    if np.isfinite(loud).any():
        spans = tuple(float(s) for s in range(-SPAN, SPAN + 1))
        curves += [
            Curve(f"{key}_loud", "Loudness", "seconds", "dB", seconds, {"sound": tuple(loud)}),
            Curve(
                f"{key}_shift",
                "Lip gap against loudness under time shifts",
                "frames that the lips are late",
                "correlation",
                spans,
                {"avatar": tuple(shifts)},
                marks=(0.0,),
            ),
        ]
    return tuple(curves)


def _strips(renderer: Renderer, driven: CrossDriven) -> tuple[Strip, ...]:
    clip = renderer.clip
    box = clip.head_box([row for _, row, _ in driven.pictures])
    heads, mouths = [], []
    for index, row, picture in driven.pictures:
        caption = f"{index / ROW_RATE:.2f} s"
        heads.append((caption, (cropped(picture, box),)))
        near = mouth_box(clip, row)
        if near is not None:
            mouths.append((caption, (enlarged(picture, near, MOUTH_HEIGHT),)))
    strips = [Strip("Heads", ("avatar",), tuple(heads))]
    if mouths:
        strips.append(Strip("Mouths, enlarged", ("avatar",), tuple(mouths)))
    return tuple(strips)
