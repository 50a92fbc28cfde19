"""A report as text."""

from __future__ import annotations

from collections.abc import Sequence

from ..record import Metric, Report

ARROWS = {"up": "higher is better", "down": "lower is better", "": ""}


def text_of(report: Report) -> str:
    """The whole report, one table for each section."""
    lines = [report.title, "=" * len(report.title), ""]
    width = max((len(label) for label in report.facts), default=0)
    lines += [f"{label:<{width}}  {value}" for label, value in report.facts.items()]
    for section in report.sections:
        lines += ["", section.title, "-" * len(section.title)]
        lines += table([_cells(metric) for metric in section.metrics])
    if report.notes:
        lines += ["", *(f"note: {note}" for note in report.notes)]
    return "\n".join(lines) + "\n"


def _cells(metric: Metric) -> tuple[str, ...]:
    note = "; ".join(part for part in (metric.note, ARROWS[metric.better]) if part)
    value = metric.text if metric.value is None else f"{metric.text} {metric.unit}".rstrip()
    return metric.label, value, note


def table(rows: Sequence[Sequence[str]], right: bool = False) -> list[str]:
    """Lines with aligned columns, two spaces between. right: all but the first column are aligned
    to the right."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            f"{cell:>{width}}" if right and column else f"{cell:<{width}}"
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
