"""The self-driven section of a report."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..dataset.landmarks import STATIC
from ..pages.records import Curve, Strip
from ..records.arrays import Float64
from . import lips
from .jitter import acceleration
from .measures import measured
from .record import Metric, Section, mean_of
from .self_driven import SelfDriven
from .sounds import Voice
from .sync import SPAN, best_shift, correlation, shifted

NO_LANDMARKS = "the dataset has no landmarks (.lms)"
NO_REGRESSION = "too few training frames have landmarks to fit the landmark regression to"
NO_SOUND = "the sound is not available, only its features"
NO_RUN = "no three frames are consecutive"
NO_REST = "the lids rest in no three consecutive frames"

ABOUT = (
    "Held-out frames, driven by their own sound, poses and eyes, rendered over the true "
    "surroundings of the head. PSNR is the mean over the frames. Mouth and eyes are located in the "
    "pictures by a regression fitted to the clip's training frames; its result on the true "
    "held-out frames is given for comparison. “Surface” means the Gaussians nearest to a landmark."
)


def self_section(
    key: str,
    title: str,
    driven: SelfDriven,
    voice: Voice,
    lpips: Metric,
    more: tuple[Metric, ...] = (),
    strips: tuple[Strip, ...] = (),
) -> Section:
    """more: further metrics of the same rows (silence, phonemes, speed)."""
    loud = voice.loudness(driven.rows)
    metrics = (
        *_pictures(driven, lpips),
        *_mouth(driven, loud),
        *_eyes(driven),
        *more,
        *_jitter(driven),
    )
    return Section(key, title, ABOUT, metrics, _curves(key, driven, loud), strips)


def _pictures(driven: SelfDriven, lpips: Metric) -> tuple[Metric, ...]:
    means = {name: mean_of(values) for name, values in driven.scores.items()}
    small = "the pictures are under 11 pixels"
    return (
        measured("psnr", means["psnr"], "whole frame"),
        measured("psnr_head", means["psnr_head"]),
        measured("psnr_lips", means["psnr_lips"], "the box around the lips", NO_LANDMARKS),
        measured("ssim", means["ssim"], "whole frame", small),
        measured("ssim_head", means["ssim_head"], "", small),
        lpips,
    )


def _mouth(driven: SelfDriven, loud: Float64) -> tuple[Metric, ...]:
    true, gap, surface, floor = _openings(lips.lip_gap, driven)
    shift, at_best = best_shift(shifted(driven.rows, gap, true))
    true_shift, true_best = best_shift(shifted(driven.rows, true, loud))
    lmd, lmd_surface, lmd_floor = (
        mean_of(lips.mouth_distance(landmarks, driven.true))
        for landmarks in (driven.predicted, driven.surface, driven.predicted_true)
    )
    notes = {
        "sync": f"correlation over the frames; on the true frames {correlation(floor, true):.3f}",
        "shift": f"within {SPAN}; positive if they are late; correlation there {at_best:.3f}",
        "lmd": f"landmarks 48 to 67, mean subtracted; on the true frames {lmd_floor:.2f}",
        "loud": f"true lips {correlation(true, loud):.3f}, at most {true_best:.3f} at a shift of "
        f"{true_shift} frames",
        "movement": "ratio of standard deviations; 1 is ideal; on the true frames "
        f"{movement_ratio(floor, true):.3f}",
    }
    no_loud = NO_REGRESSION if np.isfinite(loud).any() else NO_SOUND
    late = float(shift) if math.isfinite(at_best) else None
    movement = movement_ratio(gap, true)
    return (
        measured("lip_correlation", correlation(gap, true), notes["sync"], NO_REGRESSION),
        measured("lip_correlation_surface", correlation(surface, true), "", NO_LANDMARKS),
        measured("lip_shift", late, notes["shift"], NO_REGRESSION),
        measured("lip_range", movement, notes["movement"], NO_REGRESSION),
        measured("lmd", lmd, notes["lmd"], NO_REGRESSION),
        measured("lmd_surface", lmd_surface, "", NO_LANDMARKS),
        measured("loudness_correlation", correlation(gap, loud), notes["loud"], no_loud),
    )


def movement_ratio(values: Float64, true: Float64) -> float:
    """Standard deviation of values divided by that of true, over the rows in which both are known;
    NaN if there are none or the true ones do not move."""
    both = np.isfinite(values) & np.isfinite(true)
    if both.sum() < 2 or not true[both].std() > 0:
        return math.nan
    return float(values[both].std() / true[both].std())


def _eyes(driven: SelfDriven) -> tuple[Metric, ...]:
    true, gap, surface, floor = _openings(lips.eye_gap, driven)
    error, floor_error = (mean_of(np.abs(values - true)) for values in (gap, floor))
    between = f"between the lids; on the true frames {floor_error:.2f}"
    sync = f"on the true frames {correlation(floor, true):.3f}"
    return (
        measured("eye_error", error, between, NO_REGRESSION),
        measured("eye_correlation", correlation(gap, true), sync, NO_REGRESSION),
        measured("eye_correlation_surface", correlation(surface, true), "", NO_LANDMARKS),
    )


def _openings(
    opening: Callable[[Float64, Float64], Float64], driven: SelfDriven
) -> tuple[Float64, ...]:
    """Lip or eye gaps (R,): true, from the avatar's pictures, of its surface, and from the true
    pictures."""
    landmarks = (driven.true, driven.predicted, driven.surface, driven.predicted_true)
    return tuple(opening(points, driven.up) for points in landmarks)


def _jitter(driven: SelfDriven) -> tuple[Metric, ...]:
    # Relative to the head's own motion, places at rest do not move, but in a blink the corners of
    # the eyes move with the lids.
    still = list(STATIC)
    shown, true = (
        acceleration(driven.rows, (places - driven.still)[:, still], driven.closure)
        for places in (driven.surface, driven.true)
    )
    change, true_change, error_change = driven.flicker.means()
    ratio = change / true_change if true_change else None
    at_rest = (
        f"acceleration relative to the head's motion while the lids rest; true landmarks {true:.3g}"
    )
    above = "inside the head; above 1 it flickers more than the true frames"
    error = "change of the error from frame to frame"
    no_surface = NO_LANDMARKS if np.isnan(driven.surface).all() else NO_REST
    return (
        measured("jitter", shown, at_rest, no_surface),
        measured("flicker", ratio, above, NO_RUN),
        measured("error_flicker", error_change, error, NO_RUN),
    )


def _curves(key: str, driven: SelfDriven, loud: Float64) -> tuple[Curve, ...]:
    rows = tuple(float(row) for row in driven.rows)
    true, gap, surface, _ = _openings(lips.lip_gap, driven)
    gaps = _known({"true": true, "avatar": gap, "its surface": surface})
    eye_true, eye_gap, eye_surface, _ = _openings(lips.eye_gap, driven)
    eyes = _known({"true": eye_true, "avatar": eye_gap, "its surface": eye_surface})
    shown = gap if np.isfinite(gap).any() else surface
    shifts = _known(
        {
            "with the true lips": shifted(driven.rows, shown, true),
            "with the loudness": shifted(driven.rows, shown, loud),
        }
    )
    spans = tuple(float(s) for s in range(-SPAN, SPAN + 1))
    late = "frames that the avatar's lips are late"
    decibels = {"whole frame": driven.scores["psnr"], "head": driven.scores["psnr_head"]}
    found = [
        Curve(f"{key}_lips", "Lip gap", "frame", "pixels", rows, gaps),
        Curve(f"{key}_shift", "Lips under time shifts", late, "correlation", spans, shifts, (0.0,)),
        Curve(f"{key}_eyes", "Eye opening", "frame", "pixels", rows, eyes),
        Curve(
            f"{key}_psnr",
            "PSNR by frame",
            "frame",
            "dB",
            rows,
            {name: tuple(values) for name, values in decibels.items()},
        ),
    ]
    return tuple(curve for curve in found if curve.series)


def _known(series: dict[str, Float64]) -> dict[str, tuple[float, ...]]:
    """The series that have any finite value."""
    return {name: tuple(values) for name, values in series.items() if np.isfinite(values).any()}
