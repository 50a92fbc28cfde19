"""A report as one self-contained HTML file: embedded pictures, SVG curves, no script."""

from __future__ import annotations

import base64
from html import escape

import numpy as np
from numpy.typing import NDArray

from ..record import Curve, Metric, Report, Section, Strip
from .pictures import jpeg
from .svg import legend, svg_of

STYLE = """
:root{color-scheme:light}
body{font:15px/1.5 system-ui,sans-serif;color:#20262e;background:#f3f2ee;margin:0}
main{max-width:1180px;margin:0 auto;padding:24px 20px 60px}
h1{font-size:26px;margin:8px 0 4px}
h2{font-size:20px;margin:0 0 4px}
h3{font-size:15px;margin:18px 0 6px}
section,header{background:#fff;border:1px solid #dddad2;border-radius:10px;margin:16px 0;
 padding:18px 22px}
p{max-width:90ch;margin:4px 0 12px;color:#525a64}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:10px 0 0}
dt{color:#6d747d}
dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:4px 14px 4px 0;border-bottom:1px solid #ecebe6;vertical-align:top}
th{font-weight:600;color:#6d747d;font-size:13px}
td.n{white-space:nowrap;font-variant-numeric:tabular-nums;font-weight:600}
td.n small{font-weight:400;color:#6d747d}
td.o{color:#6d747d;font-size:13px}
.no{color:#a05a2c;font-weight:400}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(112px,1fr));gap:10px;
 margin:14px 0 4px}
.cards div{background:#f3f2ee;border-radius:8px;padding:8px 14px}
.cards b{display:block;font-size:20px;font-variant-numeric:tabular-nums}
.cards span{color:#6d747d;font-size:13px;line-height:1.3;display:block}
.strip table{table-layout:fixed}
.strip td,.strip th{border:0;padding:1px;text-align:center;vertical-align:middle}
.strip th.r{text-align:right;padding-right:8px;width:76px}
.strip img{display:block;width:100%;height:auto}
.curves{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:6px 24px}
svg{width:100%;height:auto;font:14px system-ui,sans-serif}
svg .area{fill:#faf9f6}
svg line{stroke:#e4e2db}
svg .mark{stroke:#8a9099;stroke-dasharray:3 3}
svg path{fill:none;stroke-width:1.8;stroke-linejoin:round}
svg text{fill:#6d747d}
.legend{font-size:13px;color:#525a64}
.legend i{display:inline-block;width:14px;height:3px;margin:0 5px 3px 0}
.legend span{margin-right:14px}
"""

# Metrics that are shown large at the top of a section.
CARDS = (
    "psnr",
    "ssim",
    "lpips",
    "lmd",
    "lip_correlation",
    "eye_correlation",
    "loudness_correlation",
    "silence",
    "fps",
)


def page_of(report: Report) -> str:
    """The HTML text."""
    facts = "".join(
        f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in report.facts.items()
    )
    notes = "".join(f"<p>{escape(note)}</p>" for note in report.notes)
    sections = "".join(_section(section) for section in report.sections)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(report.title)}</title><style>{STYLE}</style></head><body><main>"
        f"<header><h1>{escape(report.title)}</h1><dl>{facts}</dl></header>{sections}"
        f"{f'<section><h2>Notes</h2>{notes}</section>' if notes else ''}</main></body></html>\n"
    )


def _section(section: Section) -> str:
    by_key = {metric.key: metric for metric in section.metrics}
    cards = "".join(
        f"<div><b>{escape(by_key[key].text)}</b><span>{escape(_unit(by_key[key]))}</span></div>"
        for key in CARDS
        if key in by_key and by_key[key].value is not None
    )
    rows = "".join(_row(metric) for metric in section.metrics)
    curves = "".join(_curve(curve) for curve in section.curves)
    return (
        f"<section><h2>{escape(section.title)}</h2><p>{escape(section.about)}</p>"
        f"{f'<div class=cards>{cards}</div>' if cards else ''}"
        f"{''.join(_strip(strip) for strip in section.strips)}"
        f"{f'<div class=curves>{curves}</div>' if curves else ''}"
        f"<h3>All numbers</h3><table><tr><th>Measure</th><th>Value</th><th></th></tr>{rows}"
        "</table></section>"
    )


def _unit(metric: Metric) -> str:
    return f"{metric.label}, {metric.unit}" if metric.unit else metric.label


def _row(metric: Metric) -> str:
    arrow = {"up": " ↑", "down": " ↓", "": ""}[metric.better]
    shown = escape(metric.text)
    if metric.value is None:
        shown = f'<span class="no">{shown}</span>'
    elif metric.unit:
        shown += f" <small>{escape(metric.unit)}</small>"
    return (
        f"<tr><td>{escape(metric.label)}{arrow}</td><td class=n>{shown}</td>"
        f"<td class=o>{escape(metric.note)}</td></tr>"
    )


def _curve(curve: Curve) -> str:
    return (
        f"<div><h3>{escape(curve.title)}</h3>{svg_of(curve)}"
        f'<div class="legend">{legend(curve)}</div></div>'
    )


def _strip(strip: Strip) -> str:
    head = "".join(f"<th>{escape(caption)}</th>" for caption, _ in strip.columns)
    body = "".join(
        f'<tr><th class="r">{escape(name)}</th>'
        + "".join(f"<td>{_image(pictures[number])}</td>" for _, pictures in strip.columns)
        + "</tr>"
        for number, name in enumerate(strip.rows)
    )
    return (
        f'<h3>{escape(strip.title)}</h3><div class="strip"><table>'
        f'<tr><th class="r"></th>{head}</tr>{body}</table></div>'
    )


def _image(picture: NDArray[np.uint8]) -> str:
    data = base64.b64encode(jpeg(picture)).decode("ascii")
    height, width = picture.shape[:2]
    return f'<img alt="" width="{width}" height="{height}" src="data:image/jpeg;base64,{data}">'
