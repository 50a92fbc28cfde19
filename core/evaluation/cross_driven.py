"""The avatar with a sound that its training never heard. There is no truth to hold it against:
the lips against the loudness, in silence, in the pauses of the voice and at the sounds that close
them; and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..audio.features import is_feature_file, track_for
from ..audio.files import load_waveform
from ..errors import ArgumentError
from ..records.timeline import ROW_RATE, ping_pong
from .landmark_regression import Reader
from .landmarks import Binding
from .lips import Float64
from .phonemes import Spoken, closures
from .record import Curve, Metric, Section, Strip, measured
from .render import Driver, gap_of, lip_gap_of, unit
from .report.pictures import cropped, enlarged, to_bytes
from .report.strips import COLUMNS, MOUTH_HEIGHT, mouth_box
from .self_driven import UNIT
from .self_section import NO_LANDMARKS, NO_SOUND
from .silence import pause_metrics, silence_metrics
from .sounds import SILENT_AT, Heard, silence_like
from .sync import SPAN, best_shift, correlation, shifted

MAX_ROWS = 1500  # a minute

ABOUT = (
    "A sound that is not the clip's, with the head's motion of held-out frames. No true lips "
    "exist for it; what a good mouth does is known all the same: it opens with the voice, rests "
    "in silence, and closes for m, b and p."
)


@dataclass(eq=False)
class Spoke:
    """Lip gaps (R,) in pixels, NaN where not yet done or not known: read off the pictures; surface,
    of the Gaussians; quiet, of the Gaussians driven by silence at the same poses and eyes.
    pictures: (row of the sound, frame whose pose it has, (H, W, 3) uint8) of a few rows."""

    read: Float64
    surface: Float64
    quiet: Float64
    pictures: list[tuple[int, int, NDArray[np.uint8]]] = field(default_factory=list)

    @property
    def gap(self) -> Float64:
        """(R,) as read off the pictures where that is known, else of the surface."""
        return self.read if np.isfinite(self.read).any() else self.surface


def other_sound(driver: Driver, path: Path) -> Heard:
    """The sound at `path` (or its features, .npy) as the avatar hears it. AudioError,
    FeatureMismatchError; ArgumentError where there is nothing to hear."""
    ready = is_feature_file(path) and driver.avatar.features is not None
    waveform = None if ready else load_waveform(path)
    track = track_for(driver.avatar, path if waveform is None else waveform)
    heard = Heard(track, 0, waveform, path.name)
    if not rows_of_sound(heard):
        raise ArgumentError(f"{path} holds no sound to speak; give another")
    return heard


def rows_of_sound(heard: Heard) -> int:
    """Frames of the sound that are looked at, a minute at most."""
    rows = len(heard.track)
    if heard.waveform is not None:
        rows = -(-len(heard.waveform) * int(ROW_RATE) // heard.waveform.rate)
    return min(rows, MAX_ROWS)


def speak(
    driver: Driver,
    heard: Heard,
    poses: tuple[int, ...],
    binding: Binding | None,
    reader: Reader | None,
) -> Iterator[Spoke]:
    """Row by row; the same record, filled so far. poses: frames of the clip whose poses, eyes and
    backgrounds the head has, played forwards and backwards."""
    clip, count = driver.clip, rows_of_sound(heard)
    unknown = np.full((3, count), np.nan)
    spoke = Spoke(unknown[0], unknown[1], unknown[2])
    silence = silence_like(driver.avatar, heard)
    shown = set(np.linspace(0, count - 1, min(COLUMNS, count)).round().astype(int).tolist())
    for index in range(count):
        row = poses[ping_pong(index, len(poses))]
        camera, seconds = clip.camera(row), index / ROW_RATE
        splats = driver.splats(heard.track, seconds, row)
        if index in shown or reader is not None:
            background = clip.frame(row).background.astype(np.float32) * UNIT
            picture = unit(driver.backend.rasterise(splats, camera, background))
            if index in shown:
                spoke.pictures.append((index, row, to_bytes(picture)))
            if reader is not None:
                spoke.read[index] = lip_gap_of(reader.read(picture, camera), camera)
        if binding is not None:
            spoke.surface[index] = gap_of(binding, splats, camera)
            quiet = driver.splats(silence, SILENT_AT, row)
            spoke.quiet[index] = gap_of(binding, quiet, camera)
        yield spoke


def cross_section(
    key: str, driver: Driver, heard: Heard, spoke: Spoke, spoken: tuple[Spoken, ...] | None
) -> Section:
    """spoken: what is said in the sound, where that is known."""
    rows = tuple(range(len(spoke.gap)))
    loud = heard.loudness(rows)
    shifts = shifted(rows, spoke.gap, loud)
    shift, at_best = best_shift(shifts)
    no_sound = NO_SOUND if heard.waveform is None else NO_LANDMARKS
    metrics = (
        measured(
            "loudness_correlation",
            "Lip gap against loudness",
            correlation(spoke.gap, loud),
            "",
            "up",
            note=f"best at a shift of {shift} frames: {at_best:.3f}",
            missing=no_sound,
        ),
        *pause_metrics(spoke.gap, loud, no_sound),
        *silence_metrics(spoke.surface, spoke.quiet, NO_LANDMARKS),
        closure_metric(spoken, 0, rows, spoke.gap),
    )
    return Section(
        key,
        f"Another voice: {heard.source}",
        ABOUT,
        metrics,
        _curves(key, spoke, loud, shifts),
        _strips(driver, spoke),
    )


def closure_metric(
    spoken: tuple[Spoken, ...] | None, first: int, rows: tuple[int, ...], gap: Float64, of: str = ""
) -> Metric:
    """of: whose lips, where it is not the avatar's."""
    found = closures(spoken or (), first, rows, gap)
    return measured(
        f"closures{'_true' if of else ''}",
        f"Lips close for m, b, p{of}",
        found.share,
        "",
        "up",
        note=f"share of {found.count} such sounds",
        missing="what is said when is not known (a JSON file of phoneme times beside the sound)"
        if spoken is None
        else "no m, b or p in these frames, or no landmarks",
    )


def _curves(key: str, spoke: Spoke, loud: Float64, shifts: Float64) -> tuple[Curve, ...]:
    if not np.isfinite(spoke.gap).any():
        return ()
    seconds = tuple(index / ROW_RATE for index in range(len(spoke.gap)))
    gap = {"voice": tuple(spoke.gap), "silence (surface)": tuple(spoke.quiet)}
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


def _strips(driver: Driver, spoke: Spoke) -> tuple[Strip, ...]:
    clip = driver.clip
    box = clip.head_box([row for _, row, _ in spoke.pictures])
    heads, mouths = [], []
    for index, row, picture in spoke.pictures:
        caption = f"{index / ROW_RATE:.2f} s"
        heads.append((caption, (cropped(picture, box),)))
        near = mouth_box(clip, row)
        if near is not None:
            mouths.append((caption, (enlarged(picture, near, MOUTH_HEIGHT),)))
    strips = [Strip("Heads", ("avatar",), tuple(heads))]
    if mouths:
        strips.append(Strip("Mouths, enlarged", ("avatar",), tuple(mouths)))
    return tuple(strips)
