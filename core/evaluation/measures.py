"""All numbers of a report: their labels, units, and the direction in which they are better."""

from __future__ import annotations

import math
from typing import NamedTuple

from .record import Metric


class Measure(NamedTuple):
    """label: for people. better: "up", "down", or "" if neither is."""

    label: str
    unit: str = ""
    better: str = ""


# By key in report.json. Keys and labels stay, so that reports of different versions compare.
MEASURES = {
    "psnr": Measure("PSNR", "dB", "up"),
    "psnr_head": Measure("PSNR inside the head", "dB", "up"),
    "psnr_lips": Measure("PSNR of the mouth", "dB", "up"),
    "psnr_picture": Measure("PSNR of the whole picture", "dB", "up"),
    "psnr_body": Measure("PSNR of neck and body", "dB", "up"),
    "psnr_neck": Measure("PSNR of the neck band", "dB", "up"),
    "psnr_background": Measure("PSNR of the background", "dB", "up"),
    "fringe": Measure("Fringe of the film's background", "px a frame", "down"),
    "ssim": Measure("SSIM", "", "up"),
    "ssim_head": Measure("SSIM inside the head", "", "up"),
    "lpips": Measure("LPIPS (AlexNet)", "", "down"),
    "lip_correlation": Measure("Lip sync: lip gap against the true one", "", "up"),
    "lip_correlation_surface": Measure("Lip sync of the surface", "", "up"),
    "lip_correlation_detector": Measure("Lip sync by a detector", "", "up"),
    "lip_shift": Measure("Best time shift of the lips", "frames"),
    "lip_range": Measure("Lip movement, share of the true one"),
    "lmd": Measure("Mouth landmark distance (LMD)", "px", "down"),
    "lmd_surface": Measure("LMD of the surface", "px", "down"),
    "lmd_detector": Measure("LMD by a detector", "px", "down"),
    "loudness_correlation": Measure("Lip gap against loudness"),
    "eye_error": Measure("Eye opening error", "px", "down"),
    "eye_correlation": Measure("Eye opening against the true one", "", "up"),
    "eye_correlation_surface": Measure("Eye opening of the surface", "", "up"),
    "eye_correlation_detector": Measure("Eye opening by a detector", "", "up"),
    "silence": Measure("Mouth movement in silence, share of that in speech", "", "down"),
    "silence_open": Measure("Lip gap in silence above closed lips", "px"),
    "pauses": Measure("Mouth movement in pauses, share of that in speech", "", "down"),
    "closures": Measure("Lips close for m, b, p", "", "up"),
    "closures_true": Measure("Lips close for m, b, p, true lips", "", "up"),
    "fps": Measure("Frames a second", "", "up"),
    "jitter": Measure("Jitter of still places", "px/frame²", "down"),
    "flicker": Measure("Change from frame to frame, share of the true one"),
    "error_flicker": Measure("Flicker of the error", "of 255", "down"),
}


def measured(
    key: str,
    value: float | None,
    note: str = "",
    missing: str = "no frame shows it",
    *,
    better: str | None = None,
) -> Metric:
    """The metric `key` of MEASURES. note: how it was measured. missing: the note if `value` is None
    or not finite. better: if it differs from the table."""
    label, unit, usual = MEASURES[key]
    better = usual if better is None else better
    if value is None or not math.isfinite(value):
        return Metric(key, label, None, unit, better, missing)
    return Metric(key, label, float(value), unit, better, note)
