"""The GPU's state as it was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gpu


@contextmanager
def restored() -> Iterator[None]:
    """Blending, depth test and depth mask are put back, whatever happens inside."""
    blend = gpu.state.blend_get()
    test = gpu.state.depth_test_get()
    mask = gpu.state.depth_mask_get()
    try:
        yield
    finally:
        gpu.state.blend_set(blend)
        gpu.state.depth_test_set(test)
        gpu.state.depth_mask_set(mask)
