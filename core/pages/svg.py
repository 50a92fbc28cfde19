"""Charts as SVG: curves with gaps at unknown values, time lines; their legends."""

from __future__ import annotations

import math
from collections.abc import Collection
from html import escape

from .records import Curve, Timeline

WIDTH, HEIGHT = 760, 250
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 12, 48
COLOURS = ("#20262e", "#d1495b", "#2e7da6", "#7a9e3f", "#b07aa1", "#e0a100", "#6b8f8f")
BAR = 30  # height of a time line
TICKS = 5


def svg_of(curve: Curve) -> str:
    """The <svg> element."""
    x_low, x_high = _range(curve.x)
    values = [value for series in curve.series.values() for value in series]
    y_low, y_high = _range(values)
    pad = 0.05 * (y_high - y_low)
    y_low, y_high = y_low - pad, y_high + pad

    def across(x: float) -> float:
        return LEFT + (x - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)

    def down(y: float) -> float:
        return TOP + (y_high - y) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(curve.title)}">',
        f'<rect x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" '
        f'height="{HEIGHT - TOP - BOTTOM}" class="area"/>',
    ]
    for value in _ticks(x_low, x_high):
        x = across(value)
        parts.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 17}" text-anchor="middle">{value:g}</text>'
        )
    for value in _ticks(y_low, y_high):
        y = down(value)
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 5:.1f}" text-anchor="end">{value:g}</text>')
    for mark in curve.marks:
        x = across(mark)
        parts.append(
            f'<line class="mark" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}"/>'
        )
    for colour, (_, series) in zip(_colours(len(curve.series)), curve.series.items(), strict=True):
        path = _path([(across(x), down(y)) for x, y in zip(curve.x, series, strict=True)])
        parts.append(f'<path d="{path}" stroke="{colour}"/>')
    middle = TOP + (HEIGHT - TOP - BOTTOM) / 2
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"{escape(curve.x_label)}</text>"
        f'<text transform="translate(16 {middle:.0f}) rotate(-90)" text-anchor="middle">'
        f"{escape(curve.y_label)}</text></svg>"
    )
    return "".join(parts)


def svg_of_timeline(line: Timeline) -> str:
    """The <svg> element: a bar whose spans have the colours of their kinds."""
    colours = _colours(len(line.kinds))
    scale = (WIDTH - 2 * RIGHT) / max(line.seconds, 1e-9)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {BAR + 40}" role="img" aria-label="{escape(line.title)}">',
        f'<rect x="{RIGHT}" y="0" width="{WIDTH - 2 * RIGHT}" height="{BAR}" fill="{colours[0]}"/>',
    ]
    for begin, end, kind in line.spans:
        parts.append(
            f'<rect x="{RIGHT + begin * scale:.2f}" y="0" '
            f'width="{max((end - begin) * scale, 1):.2f}" height="{BAR}" fill="{colours[kind]}">'
            f"<title>{escape(line.kinds[kind])}, {begin:.2f} to {end:.2f} s</title></rect>"
        )
    for value in _ticks(0.0, line.seconds):
        x = RIGHT + value * scale
        parts.append(f'<line x1="{x:.1f}" y1="{BAR}" x2="{x:.1f}" y2="{BAR + 5}"/>')
        parts.append(f'<text x="{x:.1f}" y="{BAR + 20}" text-anchor="middle">{value:g}</text>')
    return "".join([*parts, f'<text x="{WIDTH / 2}" y="{BAR + 36}">s</text></svg>'])


def legend(labels: Collection[str]) -> str:
    """The labels with their colours, in the order of the curves or kinds, as HTML."""
    names = zip(_colours(len(labels)), labels, strict=True)
    return " ".join(
        f'<span><i style="background:{colour}"></i>{escape(name)}</span>' for colour, name in names
    )


def _colours(count: int) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index in range(count)]


def _range(values: object) -> tuple[float, float]:
    known = [value for value in values if math.isfinite(value)]  # type: ignore[attr-defined]
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _ticks(low: float, high: float) -> list[float]:
    """About five round numbers within the range."""
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((s * power for s in (1, 2, 5, 10)), key=lambda s: abs(s - rough))
    first = math.ceil(low / step)
    return [round(index * step, 10) for index in range(first, math.floor(high / step) + 1)]


def _path(points: list[tuple[float, float]]) -> str:
    """The path through all finite points, interrupted at the others."""
    parts, down = [], False
    for x, y in points:
        if not math.isfinite(y):
            down = False
            continue
        parts.append(f"{'L' if down else 'M'}{x:.1f} {y:.1f}")
        down = True
    return "".join(parts)
