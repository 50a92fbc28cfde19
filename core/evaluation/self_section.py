"""The self-driven part of a report, from what was seen row by row."""

from __future__ import annotations

import math

import numpy as np

from . import lips
from .jitter import acceleration
from .lips import Float64
from .record import Curve, Metric, Section, Strip, mean_of, measured
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
    box = "the square around the lips"
    return (
        measured("psnr", "PSNR", means["psnr"], "dB", "up", note="whole frame"),
        measured("psnr_head", "PSNR inside the head", means["psnr_head"], "dB", "up"),
        measured(
            "psnr_lips",
            "PSNR of the mouth",
            means["psnr_lips"],
            "dB",
            "up",
            note=box,
            missing=NO_LANDMARKS,
        ),
        measured("ssim", "SSIM", means["ssim"], "", "up", note="whole frame", missing=small),
        measured("ssim_head", "SSIM inside the head", means["ssim_head"], "", "up", missing=small),
        lpips,
    )


def _mouth(seen: Seen, loud: Float64) -> tuple[Metric, ...]:
    gap, true = lips.lip_gap(seen.read, seen.up), lips.lip_gap(seen.true, seen.up)
    surface = lips.lip_gap(seen.surface, seen.up)
    floor = lips.lip_gap(seen.read_true, seen.up)
    shift, at_best = best_shift(shifted(seen.rows, gap, true))
    true_shift, true_best = best_shift(shifted(seen.rows, true, loud))
    floor_lmd = mean_of(lips.mouth_distance(seen.read_true, seen.true))
    no_loud = NO_READER if np.isfinite(loud).any() else NO_SOUND
    return (
        measured(
            "lip_correlation",
            "Lip sync: lip gap against the true one",
            correlation(gap, true),
            "",
            "up",
            note=f"correlation over the frames; read off the true frames "
            f"{correlation(floor, true):.3f}",
            missing=NO_READER,
        ),
        measured(
            "lip_correlation_surface",
            "Lip sync of the surface",
            correlation(surface, true),
            "",
            "up",
            missing=NO_LANDMARKS,
        ),
        measured(
            "lip_shift",
            "Best time shift of the lips",
            float(shift) if math.isfinite(at_best) else None,
            "frames",
            "",
            note=f"within {SPAN}; above zero they come late; correlation there {at_best:.3f}",
            missing=NO_READER,
        ),
        measured(
            "lip_range",
            "Lip movement, share of the true one",
            spread_ratio(gap, true),
            "",
            "",
            note="standard deviations; 1 is right",
            missing=NO_READER,
        ),
        measured(
            "lmd",
            "Mouth landmark distance (LMD)",
            mean_of(lips.mouth_distance(seen.read, seen.true)),
            "px",
            "down",
            note=f"landmarks 48 to 67, mean taken off; read off the true frames {floor_lmd:.2f}",
            missing=NO_READER,
        ),
        measured(
            "lmd_surface",
            "LMD of the surface",
            mean_of(lips.mouth_distance(seen.surface, seen.true)),
            "px",
            "down",
            missing=NO_LANDMARKS,
        ),
        measured(
            "loudness_correlation",
            "Lip gap against loudness",
            correlation(gap, loud),
            "",
            "",
            note=f"the true lips {correlation(true, loud):.3f}, at best {true_best:.3f} at "
            f"{true_shift} frames",
            missing=no_loud,
        ),
    )


def spread_ratio(values: Float64, true: Float64) -> float:
    """Standard deviation of values over that of true, over the rows in which both are known; NaN
    where there are none or the true ones stand still."""
    both = np.isfinite(values) & np.isfinite(true)
    if both.sum() < 2 or not true[both].std() > 0:
        return math.nan
    return float(values[both].std() / true[both].std())


def _eyes(seen: Seen) -> tuple[Metric, ...]:
    gap, true = lips.eye_gap(seen.read, seen.up), lips.eye_gap(seen.true, seen.up)
    floor = lips.eye_gap(seen.read_true, seen.up)
    surface = lips.eye_gap(seen.surface, seen.up)
    return (
        measured(
            "eye_error",
            "Eye opening error",
            mean_of(np.abs(gap - true)),
            "px",
            "down",
            note=f"between the lids; read off the true frames {mean_of(np.abs(floor - true)):.2f}",
            missing=NO_READER,
        ),
        measured(
            "eye_correlation",
            "Eye opening against the true one",
            correlation(gap, true),
            "",
            "up",
            note=f"read off the true frames {correlation(floor, true):.3f}",
            missing=NO_READER,
        ),
        measured(
            "eye_correlation_surface",
            "Eye opening of the surface",
            correlation(surface, true),
            "",
            "up",
            missing=NO_LANDMARKS,
        ),
    )


def _unrest(seen: Seen) -> tuple[Metric, ...]:
    # Beside the head's own motion: what rests on the head has none left.
    still = list(lips.STATIC)
    shown = acceleration(seen.rows, (seen.surface - seen.still)[:, still])
    true = acceleration(seen.rows, (seen.true - seen.still)[:, still])
    change, true_change, error_change = seen.flicker.means()
    return (
        measured(
            "jitter",
            "Jitter of still places",
            shown,
            "px/frame²",
            "down",
            note=f"acceleration beside the head's motion; the true landmarks {true:.3g}",
            missing=NO_LANDMARKS if np.isnan(seen.surface).all() else NO_RUN,
        ),
        measured(
            "flicker",
            "Change from frame to frame, share of the true one",
            change / true_change if true_change else None,
            "",
            "",
            note="inside the head; above 1 it flickers more than the film does",
            missing=NO_RUN,
        ),
        measured(
            "error_flicker",
            "Flicker of the error",
            error_change,
            "of 255",
            "down",
            note="how much the error itself changes from frame to frame",
            missing=NO_RUN,
        ),
    )


def _curves(key: str, seen: Seen, loud: Float64) -> tuple[Curve, ...]:
    rows = tuple(float(row) for row in seen.rows)
    true = lips.lip_gap(seen.true, seen.up)
    gap = lips.lip_gap(seen.read, seen.up)
    surface = lips.lip_gap(seen.surface, seen.up)
    gaps = _known({"true": true, "avatar": gap, "its surface": surface})
    eyes = _known(
        {
            "true": lips.eye_gap(seen.true, seen.up),
            "avatar": lips.eye_gap(seen.read, seen.up),
            "its surface": lips.eye_gap(seen.surface, seen.up),
        }
    )
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
