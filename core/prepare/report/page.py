"""The report as one HTML page: findings, strips over time, a time line, what was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from ...pages.page import page, section, strip, table
from ...pages.records import Strip, Timeline
from ...pages.svg import legend, svg_of_timeline
from ..cuts import runs
from ..findings.record import GRADES, Finding
from ..options import FPS
from ..pictures import Pixels
from ..shots import REASONS, USED, Shots

STYLE = """
.grade{display:inline-block;min-width:3em;text-align:center;border-radius:6px;padding:0 8px;
 color:#fff;font-weight:600}
.grade.good{background:#5d8a3c}
.grade.fair{background:#b7791f}
.grade.bad{background:#b3373f}
tr.good td{color:#6d747d}
td.t{width:60%}
"""
ROWS = ("landmarks, head", "parts", "torso", "background")
ABOUT_STRIPS = (
    "Landmarks are yellow; the cyan outline, the mean head at the estimated pose, must sit on the "
    "face in every frame. Parts: head blue, neck green, torso red. Torso: what the training draws "
    "behind the head. Background: must hold nothing of the person."
)


@dataclass(frozen=True, eq=False)
class Column:
    """A frame in the strips: its pictures in the order of ROWS."""

    row: int
    pictures: tuple[Pixels, ...]


def page_of(
    name: str,
    findings: Sequence[Finding],
    columns: Sequence[Column],
    shots: Shots,
    found: Mapping[str, Any],
) -> str:
    """The HTML text. name: of the video. findings: the worst first. found: what the steps found."""
    counts = [(grade, sum(f.grade == grade for f in findings)) for grade in reversed(GRADES)]
    total, used = len(shots.reason), int(shots.used.sum())
    facts = {
        "Findings": ", ".join(f"{count} {grade}" for grade, count in counts if count) or "none",
        "Frames": f"{used} of {total} used ({used / FPS:.1f} of {total / FPS:.1f} s)",
    }
    body = [
        section("Findings", _table(findings), "What limits the training, the worst first."),
        section("Frames over time", strip(_strip(columns)), ABOUT_STRIPS),
        section("Used and left out", _timeline(shots)),
        section("What was done to pictures and sound", table(_done(found))),
    ]
    return page(f"{name}: before the training", facts, "".join(body), STYLE)


def _table(findings: Sequence[Finding]) -> str:
    rows = "".join(
        f'<tr class="{escape(f.grade)}"><td><span class="grade {escape(f.grade)}">'
        f"{escape(f.grade)}</span></td><td>{escape(f.name)}</td><td class=n>{escape(f.shown)}</td>"
        f"<td class=t>{escape(f.text)} <b>{escape(f.advice)}</b></td></tr>"
        for f in findings
    )
    return f"<table>{rows}</table>"


def _strip(columns: Sequence[Column]) -> Strip:
    named = tuple((f"{column.row / FPS:.1f} s", column.pictures) for column in columns)
    return Strip("Evenly over the used frames", ROWS, named)


def _timeline(shots: Shots) -> str:
    whys = [USED, *sorted({int(why) for why in np.unique(shots.reason)} - {USED})]
    spans = [
        (first / FPS, stop / FPS, index)
        for index, why in enumerate(whys)
        if why != USED
        for first, stop in runs(shots.reason == why)
    ]
    kinds = tuple(REASONS[why] for why in whys)
    line = Timeline("Used and left-out frames", len(shots.reason) / FPS, kinds, tuple(spans))
    return f'{svg_of_timeline(line)}<div class="legend">{legend(kinds)}</div>'


def _done(found: Mapping[str, Any]) -> dict[str, str]:
    """What was changed or chosen: label -> text."""
    get = found.get
    width, height = get("video", (0, 0))
    x, y, side = get("crop", (0, 0, 0))
    rate, moved = get("rate") or FPS, get("sound_offset_applied_ms", 0)
    holes = ", ".join(f"{begin:.1f} to {end:.1f} s" for begin, end in get("sound_holes_s", []))
    lines = {
        "Picture": f"{width}x{height}; the square at {x}, {y} with a side of {side} pixels",
        "Frame rate": f"{rate:g} pictures a second became {FPS}" if abs(rate - FPS) > 0.01 else "",
        "Rotation": f"turned upright ({get('turned')} degrees)" if get("turned") else "",
        "Mirroring": "as the file asks" if get("mirrored") else "",
        "Interlacing": "removed" if get("interlaced") else "",
        "Colours": f"{get('colour')} became BT.709" if get("colour") else "",
        "Masks": f"segmentation {get('segmenter', 'mediapipe')}",
        "Sound track": str(get("audio_track", 1)),
        "Sound": f"moved by {moved} ms" if moved else "not moved",
        "Without sound": holes,
    }
    ratio = get("pixel_aspect", 1)
    if abs(ratio - 1) > 0.001:
        lines["Pixels"] = f"{ratio:.4g} wide; made square"
    return {label: text for label, text in lines.items() if text}
