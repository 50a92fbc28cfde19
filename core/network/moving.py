"""Which values of a Gaussian a network moves."""

from __future__ import annotations

from ..records.weights import PAPER, NetworkWeights
from .names import HEADS
from .paper import COLUMNS


def widths_of(weights: NetworkWeights) -> dict[str, int]:
    """Attribute -> values a Gaussian, of those that are not frozen. "paper" moves the first three
    of the 48 harmonics."""
    if weights.kind == PAPER:
        widths = {name: columns.stop - columns.start for name, columns in COLUMNS.items()}
    else:
        widths = dict(HEADS.values())
    return {name: width for name, width in widths.items() if name not in weights.frozen}
