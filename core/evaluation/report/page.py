"""A report as one self-contained HTML file: embedded pictures, SVG curves, no script."""

from __future__ import annotations

from html import escape

from ...pages.page import curve, page, section, strip
from ..record import Metric, Report, Section

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
    body = "".join(_section(each) for each in report.sections)
    if report.notes:
        body += section("Notes", "".join(f"<p>{escape(note)}</p>" for note in report.notes))
    return page(report.title, report.facts, body)


def _section(part: Section) -> str:
    by_key = {metric.key: metric for metric in part.metrics}
    cards = "".join(
        f"<div><b>{escape(by_key[key].text)}</b><span>{escape(_unit(by_key[key]))}</span></div>"
        for key in CARDS
        if key in by_key and by_key[key].value is not None
    )
    rows = "".join(_row(metric) for metric in part.metrics)
    curves = "".join(map(curve, part.curves))
    body = (
        f"{f'<div class=cards>{cards}</div>' if cards else ''}"
        f"{''.join(map(strip, part.strips))}"
        f"{f'<div class=curves>{curves}</div>' if curves else ''}"
        f"<h3>All numbers</h3><table><tr><th>Measure</th><th>Value</th><th></th></tr>{rows}</table>"
    )
    return section(part.title, body, part.about)


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
