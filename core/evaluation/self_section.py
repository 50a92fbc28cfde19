"""The self-driven part of a report, from what was seen row by row."""

from __future__ import annotations

import math

import numpy as np

from . import lips
from .jitter import acceleration
from .record import Curve, Metric, Section, Strip, mean_of, measured
from .self_driven import Seen
from .sounds import Heard
from .sync import SPAN, best_shift, correlation, shifted

NO_LANDMARKS = "the dataset has no landmarks (.lms)"
NO_SOUND = "the sound itself is not there, only its features"

ABOUT = (
    "Frames that the training did not see, driven by their own sound, poses and eyes, drawn over "
    "the true surroundings of the head. PSNR is the mean over frames. Landmarks of the avatar are "
    "the places of the Gaussians nearest to them."
)


def self_section(
    key: str,
    title: str,
    seen: Seen,
    heard: Heard,
    extra: tuple[Metric, ...] = (),
    strips: tuple[Strip, ...] = (),
) -> Section:
    """extra: more metrics of the same rows (LPIPS, the picture reader, speed)."""
    loud = heard.loudness(seen.rows)
    return Section(
        key,
        title,
        ABOUT,
        (*_pictures(seen), *extra, *_mouth(seen, loud), *_eyes(seen), *_unrest(seen)),
        _curves(key, seen, loud),
        strips,
    )


def _pictures(seen: Seen) -> tuple[Metric, ...]:
    means = {name: mean_of(values) for name, values in seen.scores.items()}
    return (
        measured("psnr", "PSNR", means["psnr"], "dB", "up", note="whole frame"),
        measured("psnr_head", "PSNR inside the head", means["psnr_head"], "dB", "up"),
        measured(
            "psnr_lips",
            "PSNR of the mouth",
            means["psnr_lips"],
            "dB",
            "up",
            note="the square around the lips",
            missing=NO_LANDMARKS,
        ),
        measured("ssim", "SSIM", means["ssim"], "", "up", note="whole frame", missing="too small"),
        measured("ssim_head", "SSIM inside the head", means["ssim_head"], "", "up"),
    )


def _mouth(seen: Seen, loud: lips.Float64) -> tuple[Metric, ...]:
    gap, true = seen.lip_gap, seen.true_lip_gap
    shift, at_best = best_shift(shifted(seen.rows, gap, true))
    both = np.isfinite(gap) & np.isfinite(true)
    ratio = math.nan
    if both.sum() > 1 and true[both].std() > 0:
        ratio = float(gap[both].std() / true[both].std())
    return (
        measured(
            "lmd",
            "Mouth landmark distance (LMD)",
            mean_of(lips.mouth_distance(seen.rendered, seen.true)),
            "px",
            "down",
            missing=NO_LANDMARKS,
        ),
        measured(
            "face_distance",
            "Landmark distance, whole face",
            mean_of(lips.face_distance(seen.rendered, seen.true)),
            "px",
            "down",
            missing=NO_LANDMARKS,
        ),
        measured(
            "lip_correlation",
            "Lip sync: lip gap against the true one",
            correlation(gap, true),
            "",
            "up",
            note="correlation over the frames",
            missing=NO_LANDMARKS,
        ),
        measured(
            "lip_shift",
            "Best time shift",
            float(shift) if math.isfinite(at_best) else None,
            "frames",
            "",
            note=f"within {SPAN}; above zero the lips come late; correlation there {at_best:.3f}",
            missing=NO_LANDMARKS,
        ),
        measured(
            "lip_range",
            "Lip movement, share of the true one",
            ratio,
            "",
            "",
            note="standard deviations; 1 is right",
            missing=NO_LANDMARKS,
        ),
        measured(
            "loudness_correlation",
            "Lip gap against loudness",
            correlation(gap, loud),
            "",
            "",
            note=f"the true lips: {correlation(true, loud):.3f}",
            missing=NO_SOUND if not np.isfinite(loud).any() else NO_LANDMARKS,
        ),
    )


def _eyes(seen: Seen) -> tuple[Metric, ...]:
    gap, true = lips.eye_gap(seen.rendered, seen.up), lips.eye_gap(seen.true, seen.up)
    return (
        measured(
            "eye_error",
            "Eye opening error",
            mean_of(np.abs((gap - np.nanmean(gap)) - (true - np.nanmean(true))))
            if np.isfinite(gap).any() and np.isfinite(true).any()
            else None,
            "px",
            "down",
            note="of the lids' Gaussians, means taken off",
            missing=NO_LANDMARKS,
        ),
        measured(
            "eye_correlation",
            "Eye opening against the true one",
            correlation(gap, true),
            "",
            "up",
            missing=NO_LANDMARKS,
        ),
    )


def _unrest(seen: Seen) -> tuple[Metric, ...]:
    # Beside the head's own motion: what rests on the head has none left.
    still = list(lips.STATIC)
    shown = acceleration(seen.rows, (seen.rendered - seen.still)[:, still])
    true = acceleration(seen.rows, (seen.true - seen.still)[:, still])
    change, true_change, error_change = seen.flicker.means()
    rest = "no three frames follow each other"
    return (
        measured(
            "jitter",
            "Jitter of still places",
            shown,
            "px/frame²",
            "down",
            note=f"acceleration beside the head's motion; true landmarks: {true:.3g}",
            missing=NO_LANDMARKS if np.isnan(seen.rendered).all() else rest,
        ),
        measured(
            "flicker",
            "Change from frame to frame, share of the true one",
            change / true_change if true_change else None,
            "",
            "",
            note="inside the head; above 1 it flickers more than the film",
            missing=rest,
        ),
        measured(
            "error_flicker",
            "Flicker of the error",
            error_change,
            "of 255",
            "down",
            note="how much the error itself changes from frame to frame",
            missing=rest,
        ),
    )


def _curves(key: str, seen: Seen, loud: lips.Float64) -> tuple[Curve, ...]:
    rows = tuple(float(row) for row in seen.rows)
    curves = [
        Curve(
            f"{key}_psnr",
            "PSNR by frame",
            "frame",
            "dB",
            rows,
            {"whole frame": tuple(seen.scores["psnr"]), "head": tuple(seen.scores["psnr_head"])},
        )
    ]
    if np.isfinite(seen.rendered).any():
        gap, true = seen.lip_gap, seen.true_lip_gap
        spans = tuple(float(s) for s in range(-SPAN, SPAN + 1))
        curves = [
            Curve(
                f"{key}_lips",
                "Lip gap",
                "frame",
                "pixels",
                rows,
                {"true": tuple(true), "avatar": tuple(gap)},
            ),
            Curve(
                f"{key}_shift",
                "Lip correlation under time shifts",
                "frames that the avatar's lips are late",
                "correlation",
                spans,
                {"with the true lips": tuple(shifted(seen.rows, gap, true))}
                | (
                    {"with loudness": tuple(shifted(seen.rows, gap, loud))}
                    if np.isfinite(loud).any()
                    else {}
                ),
                marks=(0.0,),
            ),
            Curve(
                f"{key}_eyes",
                "Eye opening",
                "frame",
                "pixels",
                rows,
                {
                    "true": tuple(lips.eye_gap(seen.true, seen.up)),
                    "avatar": tuple(lips.eye_gap(seen.rendered, seen.up)),
                },
            ),
            *curves,
        ]
    return tuple(curves)
