"""Frame rates that films have, to name the likely one where numbers of frames and rows differ."""

from __future__ import annotations

from ..records.timeline import ROW_RATE

# Of films, phones, screen recordings and animations; 29.97 and the like are named by their own.
FILM_RATES = (12.0, 12.5, 15.0, 20.0, 23.976, 24.0, 29.97, 30.0, 48.0, 50.0, 59.94, 60.0, 120.0)
NEAR = 0.01  # relative; the largest that still tells 24 from 25
SAME = 5e-4  # relative; tells 29.97 from 30


def likely_rate(rows: float, wanted: float) -> float | None:
    """The film's rate if `rows` of it last as long as `wanted` frames at 25 a second; None if no
    usual one is within a percent."""
    if rows <= 0 or wanted <= 0:
        return None
    rate = ROW_RATE * rows / wanted
    nearest = _nearest(rate)
    return nearest if abs(rate / nearest - 1) <= NEAR else None


def rounded(rate: float) -> float:
    """A measured rate, as the usual one that it means if it is that near."""
    nearest = _nearest(rate)
    return nearest if abs(rate / nearest - 1) <= SAME else rate


def _nearest(rate: float) -> float:
    return min(FILM_RATES, key=lambda usual: abs(usual - rate))
