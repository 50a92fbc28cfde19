"""The kernels' text, with the rules' numbers put before it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ..projection import DEPTH_GUARD, MIN_SPREAD
from ..rasteriser import DILATION, MAX_ALPHA, MIN_ALPHA, MIN_TRANSMITTANCE, NEAR, TILE

KERNELS = ("project", "list_pairs", "find_ranges", "blend")
VIEW = 32  # floats of a frame's view; what they are is said in kernels.cu and filled in views.py
PAIR_NONE = 0x7FFF_FFFF_FFFF_FFFF  # key of a place in the list that holds no pair
THREADS = 256  # of a block of the kernels that have no tile


@cache
def source() -> str:
    """CUDA C++ that includes nothing. The numbers are the ones that every rasteriser here uses."""
    numbers = {
        "NEAR": NEAR,
        "DILATION": DILATION,
        "MAX_ALPHA": MAX_ALPHA,
        "MIN_ALPHA": MIN_ALPHA,
        "MIN_TRANSMITTANCE": MIN_TRANSMITTANCE,
        "DEPTH_GUARD": DEPTH_GUARD,
        "MIN_SPREAD": MIN_SPREAD,
    }
    lines = [f"#define {name} {value!r}f" for name, value in numbers.items()]
    lines += [f"#define TILE {TILE}", f"#define VIEW {VIEW}"]
    text = Path(__file__).with_name("kernels.cu").read_text(encoding="utf-8")
    return "\n".join([*lines, text])
