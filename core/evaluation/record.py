"""The contents of a report: sections of numbers, curves and picture strips. All but the pictures
becomes JSON; report/ turns them into text and HTML."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..pages.records import Curve, Strip
from ..records.arrays import Float64

VERSION = 1  # of report.json
DIGITS = 5  # significant digits of a number in report.json


@dataclass(frozen=True)
class Metric:
    """key: its name in the JSON. label: for people. value: None if it could not be measured; `note`
    then says why, else how it was measured. better: "up", "down", or "" if neither is."""

    key: str
    label: str
    value: float | None
    unit: str = ""
    better: str = ""
    note: str = ""

    @property
    def text(self) -> str:
        """The value for people, with four significant digits at most."""
        if self.value is None:
            return "not measured"
        if abs(self.value) >= 1000:
            return f"{self.value:.0f}"
        return f"{self.value:.4g}" if abs(self.value) >= 0.1 else f"{self.value:.3g}"


@dataclass(frozen=True, eq=False)
class Section:
    key: str
    title: str
    about: str
    metrics: tuple[Metric, ...] = ()
    curves: tuple[Curve, ...] = ()
    strips: tuple[Strip, ...] = ()

    def value(self, key: str) -> float | None:
        """The value of that metric; None if it was not measured or does not exist."""
        return next((m.value for m in self.metrics if m.key == key), None)


@dataclass(frozen=True, eq=False)
class Report:
    """facts: label -> text, for the head of the report."""

    title: str
    facts: dict[str, str]
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = field(default=())


def document_of(report: Report) -> dict[str, Any]:
    """The JSON document: {"version", "title", "facts", "notes", "sections": {key: {"title",
    "values": {key: number or null}, "notes": {key: text}, "curves": {key: {...}}}}}."""
    return {
        "version": VERSION,
        "title": report.title,
        "facts": report.facts,
        "notes": list(report.notes),
        "sections": {section.key: _section(section) for section in report.sections},
    }


def _section(section: Section) -> dict[str, Any]:
    return {
        "title": section.title,
        "values": {m.key: rounded(m.value) for m in section.metrics},
        "units": {m.key: m.unit for m in section.metrics if m.unit},
        "notes": {m.key: m.note for m in section.metrics if m.note},
        "curves": {
            curve.key: {
                "title": curve.title,
                "x": [rounded(value) for value in curve.x],
                "series": {
                    name: [rounded(value) for value in values]
                    for name, values in curve.series.items()
                },
            }
            for curve in section.curves
        },
    }


def rounded(value: float | None) -> float | None:
    """A value for JSON, which has neither NaN nor infinity."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{DIGITS}g}")


def mean_of(values: Sequence[float] | Float64) -> float:
    """Mean of the finite values; NaN if there are none."""
    array = np.asarray(values, np.float64)
    array = array[np.isfinite(array)]
    return float(array.mean()) if len(array) else math.nan
