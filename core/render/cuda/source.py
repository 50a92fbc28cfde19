"""The kernels' source, with the rules' constants prepended."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ..projection import DEPTH_GUARD, MIN_SPREAD
from ..rasteriser import DILATION, EMPTY, MAX_ALPHA, MIN_ALPHA, MIN_TRANSMITTANCE, NEAR, TILE

KERNELS = ("project", "list_pairs", "find_ranges", "blend", "blend_deep")
VIEW = 32  # floats of a frame's view, as kernels.cu describes and views.py fills them
PAIR_NONE = 0x7FFF_FFFF_FFFF_FFFF  # key of an empty place in the list
THREADS = 256  # of a block of the kernels that have no tile


@cache
def source() -> str:
    """CUDA C++ without includes. Every rasteriser here uses the same constants."""
    numbers = {
        "NEAR": NEAR,
        "DILATION": DILATION,
        "MAX_ALPHA": MAX_ALPHA,
        "MIN_ALPHA": MIN_ALPHA,
        "MIN_TRANSMITTANCE": MIN_TRANSMITTANCE,
        "DEPTH_GUARD": DEPTH_GUARD,
        "MIN_SPREAD": MIN_SPREAD,
        "EMPTY": EMPTY,
    }
    lines = [f"#define {name} {value!r}f" for name, value in numbers.items()]
    lines += [f"#define TILE {TILE}", f"#define VIEW {VIEW}"]
    text = Path(__file__).with_name("kernels.cu").read_text(encoding="utf-8")
    return "\n".join([*lines, text])
