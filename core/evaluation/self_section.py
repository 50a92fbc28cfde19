"""The self-driven part of a report, from what was seen row by row."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from . import lips
from .jitter import acceleration
from .lips import Float64
from .measures import measured
from .record import Curve, Metric, Section, Strip, mean_of
from .self_driven import Seen
from .sounds import Heard
from .sync import SPAN, best_shift, correlation, shifted

NO_LANDMARKS = "the dataset has no landmarks (.lms)"
NO_READER = "too few training frames have landmarks to learn to read pictures from"
NO_SOUND = "the sound itself is not there, only its features"
NO_RUN = "no three frames follow each other"

ABOUT = (
    "Frames that the training did not see, driven by their own sound, poses and eyes, drawn over "
    "the true surroundings of the head. PSNR is the mean over the frames. Mouth and eyes are read "
    "off the pictures by a reader that learnt from the clip's own training frames; how it reads "
    "the true held-out frames stands beside. “Surface” means the Gaussians nearest to a landmark."
)


def self_section(
    key: str,
    title: str,
    seen: Seen,
    heard: Heard,
    lpips: Metric,
    more: tuple[Metric, ...] = (),
    strips: tuple[Strip, ...] = (),
) -> Section:
    """more: metrics of the same rows that others made (silence, phonemes, speed)."""
    loud = heard.loudness(seen.rows)
    metrics = (*_pictures(seen, lpips), *_mouth(seen, loud), *_eyes(seen), *more, *_unrest(seen))
    return Section(key, title, ABOUT, metrics, _curves(key, seen, loud), strips)


def _pictures(seen: Seen, lpips: Metric) -> tuple[Metric, ...]:
    means = {name: mean_of(values) for name, values in seen.scores.items()}
    small = "the pictures are under 11 pixels"
    return (
        measured("psnr", means["psnr"], "whole frame"),
        measured("psnr_head", means["psnr_head"]),
        measured("psnr_lips", means["psnr_lips"], "the square around the lips", NO_LANDMARKS),
        measured("ssim", means["ssim"], "whole frame", small),
        measured("ssim_head", means["ssim_head"], "", small),
        lpips,
    )


def _mouth(seen: Seen, loud: Float64) -> tuple[Metric, ...]:
    true, gap, surface, floor = _openings(lips.lip_gap, seen)
    shift, at_best = best_shift(shifted(seen.rows, gap, true))
    true_shift, true_best = best_shift(shifted(seen.rows, true, loud))
    lmd, lmd_surface, lmd_floor = (
        mean_of(lips.mouth_distance(landmarks, seen.true))
        for landmarks in (seen.read, seen.surface, seen.read_true)
    )
    notes = {
        "sync": f"correlation over the frames; read off the true frames "
        f"{correlation(floor, true):.3f}",
        "shift": f"within {SPAN}; above zero they come late; correlation there {at_best:.3f}",
        "lmd": f"landmarks 48 to 67, mean taken off; read off the true frames {lmd_floor:.2f}",
        "loud": f"the true lips {correlation(true, loud):.3f}, at best {true_best:.3f} at "
        f"{true_shift} frames",
    }
    no_loud = NO_READER if np.isfinite(loud).any() else NO_SOUND
    late = float(shift) if math.isfinite(at_best) else None
    spread = spread_ratio(gap, true)
    return (
        measured("lip_correlation", correlation(gap, true), notes["sync"], NO_READER),
        measured("lip_correlation_surface", correlation(surface, true), "", NO_LANDMARKS),
        measured("lip_shift", late, notes["shift"], NO_READER),
        measured("lip_range", spread, "standard deviations; 1 is right", NO_READER),
        measured("lmd", lmd, notes["lmd"], NO_READER),
        measured("lmd_surface", lmd_surface, "", NO_LANDMARKS),
        measured("loudness_correlation", correlation(gap, loud), notes["loud"], no_loud),
    )


def spread_ratio(values: Float64, true: Float64) -> float:
    """Standard deviation of values over that of true, over the rows in which both are known; NaN
    where there are none or the true ones stand still."""
    both = np.isfinite(values) & np.isfinite(true)
    if both.sum() < 2 or not true[both].std() > 0:
        return math.nan
    return float(values[both].std() / true[both].std())


def _eyes(seen: Seen) -> tuple[Metric, ...]:
    true, gap, surface, floor = _openings(lips.eye_gap, seen)
    error, floor_error = (mean_of(np.abs(values - true)) for values in (gap, floor))
    between = f"between the lids; read off the true frames {floor_error:.2f}"
    sync = f"read off the true frames {correlation(floor, true):.3f}"
    return (
        measured("eye_error", error, between, NO_READER),
        measured("eye_correlation", correlation(gap, true), sync, NO_READER),
        measured("eye_correlation_surface", correlation(surface, true), "", NO_LANDMARKS),
    )


def _openings(opening: Callable[[Float64, Float64], Float64], seen: Seen) -> tuple[Float64, ...]:
    """Lip or eye gaps (R,): true, of the avatar's pictures, of its surface, and read off the true
    pictures."""
    landmarks = (seen.true, seen.read, seen.surface, seen.read_true)
    return tuple(opening(points, seen.up) for points in landmarks)


def _unrest(seen: Seen) -> tuple[Metric, ...]:
    # Beside the head's own motion: what rests on the head has none left.
    still = list(lips.STATIC)
    shown = acceleration(seen.rows, (seen.surface - seen.still)[:, still])
    true = acceleration(seen.rows, (seen.true - seen.still)[:, still])
    change, true_change, error_change = seen.flicker.means()
    ratio = change / true_change if true_change else None
    at_rest = f"acceleration beside the head's motion; the true landmarks {true:.3g}"
    above = "inside the head; above 1 it flickers more than the film does"
    error = "how much the error itself changes from frame to frame"
    no_surface = NO_LANDMARKS if np.isnan(seen.surface).all() else NO_RUN
    return (
        measured("jitter", shown, at_rest, no_surface),
        measured("flicker", ratio, above, NO_RUN),
        measured("error_flicker", error_change, error, NO_RUN),
    )


def _curves(key: str, seen: Seen, loud: Float64) -> tuple[Curve, ...]:
    rows = tuple(float(row) for row in seen.rows)
    true, gap, surface, _ = _openings(lips.lip_gap, seen)
    gaps = _known({"true": true, "avatar": gap, "its surface": surface})
    eye_true, eye_gap, eye_surface, _ = _openings(lips.eye_gap, seen)
    eyes = _known({"true": eye_true, "avatar": eye_gap, "its surface": eye_surface})
    shown = gap if np.isfinite(gap).any() else surface
    shifts = _known(
        {
            "with the true lips": shifted(seen.rows, shown, true),
            "with the loudness": shifted(seen.rows, shown, loud),
        }
    )
    spans = tuple(float(s) for s in range(-SPAN, SPAN + 1))
    late = "frames that the avatar's lips are late"
    decibels = {"whole frame": seen.scores["psnr"], "head": seen.scores["psnr_head"]}
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
    """The series that hold any number."""
    return {name: tuple(values) for name, values in series.items() if np.isfinite(values).any()}
